/*
 * arch/x86_64/test_board.h - a machine's memory for tests of what is put in it.
 *
 * The memory is an anonymous mapping for each region; large sizes cost what is
 * written. A board lasts until the test program ends.
 */
#ifndef ARCH_X86_64_TEST_BOARD_H
#define ARCH_X86_64_TEST_BOARD_H

#include <stdlib.h>
#include <sys/mman.h>

#include "arch/arch.h"
#include "base/endian.h"

struct test_board {
	struct guest_memory memory;
	struct fd_map kernel, initrd;
	struct arch_board board; /* refers to the above */
};

/* A board with @size bytes of zeroed RAM, one CPU and no kernel yet. */
static inline void test_board_init(struct test_board *test, uint64_t size)
{
	struct guest_region *region;

	*test = (struct test_board){.kernel.path = "KERNEL",
				    .initrd.path = "INITRD"};
	if (arch_memory_layout(size, &test->memory, NULL))
		abort();
	for (unsigned int i = 0; i < test->memory.count; i++) {
		region = &test->memory.regions[i];
		region->host = mmap(NULL, region->size, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				    -1, 0);
		if (region->host == MAP_FAILED)
			abort();
	}
	test->board = (struct arch_board){
		.memory = &test->memory,
		.cpus = 1,
		.cmdline = "",
		.kernel = &test->kernel,
	};
}

static inline void test_board_fini(struct test_board *test)
{
	for (unsigned int i = 0; i < test->memory.count; i++)
		munmap(test->memory.regions[i].host,
		       test->memory.regions[i].size);
}

/* Little-endian numbers in the guest's memory; 0 where there is none. */
static inline uint64_t test_board_get(const struct test_board *test, gpa_t gpa,
				      unsigned int bytes)
{
	le64 value = le64_make(0);

	guest_read(&test->memory, gpa, &value, bytes);
	return le64_get(value);
}

#endif
