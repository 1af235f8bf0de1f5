/* arch/cmdline_test.c - the command line as given, grown, and too long. */
#include <errno.h>
#include <inttypes.h>

#include "arch/cmdline.h"
#include "base/math.h"
#include "base/test.h"

#define IRQ_BASE 32

static void plain_text_is_copied(void)
{
	const struct arch_board board = {
		.virtio_count = 2,
		.cmdline = "console=ttyS0 quiet",
	};
	char text[20];
	struct err err;

	CHECK_EQUAL(cmdline_build(&board, IRQ_BASE, text, 20, &err), 0);
	CHECK_TEXT(text, "console=ttyS0 quiet");
	CHECK_EQUAL(cmdline_build(&board, IRQ_BASE, text, 19, &err), -E2BIG);
	CHECK_TEXT(err.text, "the kernel's command line has 19 characters; "
			     "the kernel reads 18 at most");
}

static void virtio_devices_are_appended(void)
{
	struct arch_board board = {
		.virtio_count = 2,
		.cmdline = "quiet",
		.discovery = ARCH_DISCOVERY_CMDLINE,
	};
	struct arch_slot first = arch_virtio_slot(0);
	char text[256], want[256];

	snprintf(want, sizeof(want),
		 "quiet virtio_mmio.device=4K@%#" PRIx64 ":%u "
		 "virtio_mmio.device=4K@%#" PRIx64 ":%u",
		 first.range.base, IRQ_BASE + first.gsi,
		 first.range.base + 0x1000, IRQ_BASE + first.gsi + 1);
	CHECK_EQUAL(cmdline_build(&board, IRQ_BASE, text, sizeof(text), NULL),
		    0);
	CHECK_TEXT(text, want);

	board.cmdline = "";
	CHECK_EQUAL(cmdline_build(&board, IRQ_BASE, text, sizeof(text), NULL),
		    0);
	CHECK_TEXT(text, want + strlen("quiet "));
}

static void devices_that_do_not_fit_are_an_error(void)
{
	const struct arch_board board = {
		.virtio_count = arch_map.virtio_max,
		.cmdline = "quiet",
		.discovery = ARCH_DISCOVERY_CMDLINE,
	};
	char text[65];

	text[64] = 'x';
	CHECK_EQUAL(cmdline_build(&board, IRQ_BASE, text, 64, NULL), -E2BIG);
	CHECK_EQUAL(text[64], 'x');
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(plain_text_is_copied),
		TEST(virtio_devices_are_appended),
		TEST(devices_that_do_not_fit_are_an_error),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}
