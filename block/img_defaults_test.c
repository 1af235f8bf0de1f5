/*
 * block/img_defaults_test.c - what images get that nobody asked for, by the
 * features in their headers; and that a program called qemu-img makes QEMU's.
 */
#include <fcntl.h>

#include "base/fd.h"
#include "base/math.h"
#include "block/img.h"
#include "block/qcow2_format.h"
#include "block/test_host.h"

struct made {
	const char *words[16]; /* of the command, which makes "x" */
	uint64_t features;     /* incompatible ones that x has then */
};

#define OVERLAY "-f", "qcow2", "-b", "base", "-F", "raw"

static const struct made made[] = {
	{{"create", "-q", "-f", "qcow2", "x", "1M"}, 0},
	{{"create", "-q", OVERLAY, "x"}, QCOW2_EXTENDED_L2},
	{{"create", "-q", OVERLAY, "-o", "extended_l2=off", "x"}, 0},
	{{"create", "-q", OVERLAY, "-o", "cluster_size=8k", "x"}, 0},
	{{"create", "-q", OVERLAY, "-o", "compat=0.10", "x"}, 0},
	{{"convert", "-O", "qcow2", "base", "x"}, 0},
	{{"convert", "-c", "-O", "qcow2", "base", "x"}, QCOW2_COMPRESSION},
	{{"convert", "-c", "-O", "qcow2", "-o", "compat=v2", "base", "x"}, 0},
	{{"convert", "-c", "-O", "qcow2", "-o", "compression_type=zlib", "base",
	  "x"},
	 0},
	{{"convert", "-c", "-O", "qcow2", "-B", "base", "-F", "raw", "base",
	  "x"},
	 QCOW2_COMPRESSION | QCOW2_EXTENDED_L2},
};

static uint64_t read_features(void)
{
	struct qcow2_header header;
	int fd = open("x", O_RDONLY | O_CLOEXEC);

	CHECK(!fd_read_at(fd, &header, QCOW2_V2_LENGTH, 0));
	if (be32_get(header.version) > 2)
		CHECK(!fd_read_at(fd, &header, QCOW2_V3_LENGTH, 0));
	else
		header.incompatible_features = be64_make(0);
	fd_close(&fd);
	return be64_get(header.incompatible_features);
}

/* With @name in front, if it is not NULL. */
static int run(const char *name, const char *const words[])
{
	char line[256] = "", *argv[20] = {NULL}, *at = line;
	int argc = 0;

	if (name)
		argv[argc++] = (char *)name;
	for (; *words; words++) {
		argv[argc++] = at;
		at += sprintf(at, "%s", *words) + 1;
	}
	return name ? img_command_as_qemu(argc, argv) : img_command(argc, argv);
}

static void defaults_are_ours(void)
{
	REQUIRE(!test_shell("truncate -s 1M base"));
	for (size_t i = 0; i < ARRAY_LENGTH(made) && !test_failed; i++) {
		test_shell("rm -f x");
		CHECK_EQUAL(run(NULL, made[i].words), 0);
		CHECK_EQUAL(read_features(), made[i].features);
		if (test_failed)
			printf("# case %zu\n", i);
	}
}

/* Comes last: the name sticks. */
static void defaults_are_qemus_by_its_name(void)
{
	static const char *const overlay[] = {"create", "-q", OVERLAY, "x",
					      NULL};
	static const char *const copy[] = {"convert", "-c", "-O", "qcow2",
					   "base",    "x",  NULL};

	REQUIRE(!test_shell("truncate -s 1M base"));
	CHECK_EQUAL(run("/usr/bin/qemu-img", overlay), 0);
	CHECK_EQUAL(read_features(), 0);
	CHECK_EQUAL(run("qemu-img", copy), 0);
	CHECK_EQUAL(read_features(), 0);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(defaults_are_ours),
		TEST(defaults_are_qemus_by_its_name),
	};

	return test_main_in_folder(argc, argv, tests, ARRAY_LENGTH(tests));
}
