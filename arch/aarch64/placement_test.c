/*
 * arch/aarch64/placement_test.c - kernel, FDT and initrd never overlap and obey
 * the boot protocol's rules, whatever their sizes.
 */
#include <errno.h>

#include "arch/aarch64/map.h"
#include "arch/aarch64/placement.h"
#include "arch/arch.h"
#include "base/test.h"

static void check_rules(const struct image *image, uint64_t memory_size,
			uint64_t initrd_size, const struct placement *placement)
{
	uint64_t window = image->old ? 512 * MIB : 32 * GIB;
	gpa_t kernel_end = placement->kernel + image->memory_size;
	gpa_t fdt_end = placement->fdt + PLACEMENT_FDT_SPACE;
	gpa_t end = MAP_RAM_BASE + min_u64(memory_size, window);

	CHECK_EQUAL(placement->kernel, MAP_RAM_BASE + image->text_offset);
	CHECK(kernel_end <= placement->fdt);
	CHECK(is_aligned(placement->fdt, 8));
	CHECK_EQUAL(placement->fdt / (2 * MIB), (fdt_end - 1) / (2 * MIB));
	CHECK(fdt_end <= end);
	CHECK_EQUAL(placement->initrd_size, initrd_size);
	if (!initrd_size) {
		CHECK_EQUAL(placement->initrd, 0);
		return;
	}
	CHECK(is_aligned(placement->initrd, 64 * KIB));
	CHECK(placement->initrd >= fdt_end);
	CHECK(placement->initrd + initrd_size <= end);
}

/* Every combination either fits by the rules or is short by what it says. */
static unsigned int try_sizes(uint64_t memory_size, uint64_t image_size,
			      uint64_t initrd_size, bool old)
{
	const struct image image = {
		.text_offset = old ? 0x80000 : 0,
		.memory_size = image_size,
		.old = old,
	};
	uint64_t bare = image.text_offset + image_size + initrd_size +
			PLACEMENT_FDT_SPACE;
	struct placement placement;
	int ret = placement_init(&image, memory_size, initrd_size, &placement,
				 NULL);

	if (!ret) {
		check_rules(&image, memory_size, initrd_size, &placement);
		return 1;
	}
	CHECK_EQUAL(ret, -ENOSPC);
	CHECK(bare + 3 * PLACEMENT_FDT_SPACE >
	      min_u64(memory_size, old ? 512 * MIB : 32 * GIB));
	return 0;
}

static void nothing_overlaps(void)
{
	static const uint64_t memories[] = {
		32 * MIB,  33 * MIB,  64 * MIB, 100 * MIB,  128 * MIB,
		512 * MIB, 513 * MIB, 1 * GIB,	2048 * MIB, 3071 * MIB,
		4 * GIB,   5 * GIB,   33 * GIB,
	};
	static const uint64_t images[] = {
		1,	  64 * KIB,	5 * MIB + 3, 28 * MIB,
		31 * MIB, 32 * MIB - 1, 100 * MIB,   4 * GIB,
	};
	static const uint64_t initrds[] = {
		0,	  1,	     4 * KIB, 700 * KIB + 1, 4 * MIB,
		30 * MIB, 450 * MIB, 3 * GIB, 32 * GIB,
	};
	unsigned int fitted = 0;

	for (size_t m = 0; m < ARRAY_LENGTH(memories); m++)
		for (size_t k = 0; k < ARRAY_LENGTH(images); k++)
			for (size_t i = 0; i < ARRAY_LENGTH(initrds); i++)
				for (int old = 0; old < 2; old++)
					fitted += try_sizes(memories[m],
							    images[k],
							    initrds[i], old);
	CHECK(fitted > 500);
}

/* What the sentence recommends is enough, and one MiB less is not. */
static void the_sentence_says_how_much_would_do(void)
{
	const struct image image = {.memory_size = 28 * MIB};
	struct placement placement;
	struct err err;

	CHECK_EQUAL(placement_init(&image, 32 * MIB, 10 * MIB, &placement,
				   &err),
		    -ENOSPC);
	CHECK_TEXT(err.text, "with its initrd it needs at least 39 MiB "
			     "of memory, and the machine has 32; give it more "
			     "with --memory 39M");
	CHECK_EQUAL(placement_init(&image, 39 * MIB, 10 * MIB, &placement,
				   NULL),
		    0);
	CHECK_EQUAL(placement_init(&image, 38 * MIB, 10 * MIB, &placement,
				   NULL),
		    -ENOSPC);
}

static void more_memory_does_not_help_beyond_the_window(void)
{
	const struct image image = {.memory_size = 28 * MIB, .old = true};
	struct placement placement;
	struct err err;

	CHECK_EQUAL(placement_init(&image, 8 * GIB, 600 * MIB, &placement,
				   &err),
		    -ENOSPC);
	CHECK(strstr(err.text, "the first 512 MiB"));
	CHECK_EQUAL(placement_init(&image, 64 * GIB, UINT64_MAX, &placement,
				   &err),
		    -ENOSPC);
	CHECK(!strstr(err.text, "--memory"));
}

static void ram_is_one_region(void)
{
	static const uint64_t good[] = {MIB, 32 * MIB, 5 * GIB, 1023 * GIB};
	static const uint64_t bad[] = {0,	   1,
				       MIB - 1,	   33 * MIB + 4096,
				       1024 * GIB, UINT64_MAX};
	struct guest_memory memory;

	for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
		CHECK_EQUAL(arch_memory_layout(good[i], &memory, NULL), 0);
		CHECK_EQUAL(memory.count, 1);
		CHECK_EQUAL(memory.regions[0].base, 0x40000000);
		CHECK_EQUAL(memory.regions[0].size, good[i]);
	}
	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
		CHECK_EQUAL(arch_memory_layout(bad[i], &memory, NULL), -EINVAL);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(nothing_overlaps),
		TEST(the_sentence_says_how_much_would_do),
		TEST(more_memory_does_not_help_beyond_the_window),
		TEST(ram_is_one_region),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}
