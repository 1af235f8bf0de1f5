/*
 * vmm/ram_test.c - RAM that reads as zeroes, with nothing to touch around it.
 */
#include "vmm/ram.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "arch/arch.h"
#include "base/math.h"
#include "base/test.h"

/* Can the byte there be read? Asks the kernel, so that no signal comes. */
static bool is_readable(const uint8_t *address)
{
	int ends[2];
	bool readable;

	if (!CHECK(!pipe2(ends, O_CLOEXEC)))
		return false;
	readable = write(ends[1], address, 1) == 1;
	close(ends[0]);
	close(ends[1]);
	return readable;
}

/* Is the page there taken, so that nothing else can come to lie there? */
static bool is_mapped(const uint8_t *address)
{
	return !msync((void *)((uintptr_t)address & ~4095ULL), 1, MS_ASYNC);
}

static void regions_are_laid_out_and_zero(void)
{
	struct guest_memory memory, want;
	uint8_t *host;

	REQUIRE(!ram_map(&memory, 64 * MIB, false, NULL));
	CHECK(!arch_memory_layout(64 * MIB, &want, NULL));
	CHECK_EQUAL(memory.count, want.count);
	CHECK_EQUAL(memory.regions[0].base, want.regions[0].base);
	CHECK_EQUAL(memory.regions[0].size, 64 * MIB);
	host = memory.regions[0].host;
	CHECK(is_aligned((uintptr_t)host, 2 * MIB));
	CHECK_EQUAL(host[0], 0);
	host[0] = 1;
	CHECK_EQUAL(host[64 * MIB - 1], 0);
	host[64 * MIB - 1] = 1;
	ram_unmap(&memory);
	CHECK(!memory.regions[0].host);
	CHECK(!is_mapped(host));
	CHECK(!is_mapped(host - 1));
	CHECK(!is_mapped(host + 64 * MIB));
	ram_unmap(&memory); /* harmless */
}

static void check_guards(const struct guest_region *region)
{
	uint8_t *host = region->host, *end = host + region->size;

	CHECK(is_readable(host));
	CHECK(is_readable(end - 1));
	CHECK(is_mapped(host - 1) && !is_readable(host - 1));
	CHECK(is_mapped(host - 2 * MIB) && !is_readable(host - 2 * MIB));
	CHECK(is_mapped(end) && !is_readable(end));
	CHECK(is_mapped(end + 2 * MIB - 1) && !is_readable(end + 2 * MIB - 1));
}

static void guards_stand_around_each_region(void)
{
	static const uint64_t sizes[] = {2 * MIB, 32 * MIB, 5 * GIB};
	struct guest_memory memory;

	for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
		REQUIRE(!ram_map(&memory, sizes[i], false, NULL));
		CHECK_EQUAL(guest_memory_size(&memory), sizes[i]);
		for (unsigned int j = 0; j < memory.count; j++)
			check_guards(&memory.regions[j]);
		ram_unmap(&memory);
	}
}

/* The line of /proc/self/maps that holds @address; its permissions. */
static bool has_permissions(const uint8_t *address, const char *want)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long from, to;
	char line[512], found[8];
	bool matches = false;

	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %7s", &from, &to, found) == 3 &&
		    from <= (uintptr_t)address && (uintptr_t)address < to)
			matches = !strcmp(found, want);
	if (maps)
		fclose(maps);
	return matches;
}

static void ram_is_not_executable(void)
{
	struct guest_memory memory;

	REQUIRE(!ram_map(&memory, 32 * MIB, false, NULL));
	CHECK(has_permissions(memory.regions[0].host, "rw-p"));
	CHECK(has_permissions(memory.regions[0].host - 1, "---p"));
	ram_unmap(&memory);
}

static void sizes_without_a_layout_leave_nothing(void)
{
	struct guest_memory memory = {
		.count = 1,
		.regions[0].host = (void *)1, /* whatever was there before */
	};
	struct err err = {""};

	CHECK_EQUAL(ram_map(&memory, UINT64_MAX, false, &err), -EINVAL);
	CHECK(*err.text);
	CHECK_EQUAL(memory.count, 0);
}

static void hosts_without_room_are_an_error(void)
{
	struct guest_memory memory;
	struct err err = {""};
	struct rlimit old, small;
	int ret;

	REQUIRE(!getrlimit(RLIMIT_AS, &old));
	small = (struct rlimit){GIB, old.rlim_max};
	REQUIRE(!setrlimit(RLIMIT_AS, &small));
	ret = ram_map(&memory, 4 * GIB, false, &err);
	setrlimit(RLIMIT_AS, &old);
	if (!ret) {
		ram_unmap(&memory);
		TEST_SKIP("RLIMIT_AS has no effect here");
	}
	CHECK_EQUAL(ret, -ENOMEM);
	CHECK(strstr(err.text, "no address space for "));
	for (unsigned int i = 0; i < memory.count; i++)
		CHECK(!memory.regions[i].host);
}

/* Huge pages that are free now, of 2 MiB each. */
static unsigned long free_huge_pages(void)
{
	FILE *file = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/"
			   "free_hugepages",
			   "re");
	unsigned long count = 0;

	if (file && fscanf(file, "%lu", &count) != 1)
		count = 0;
	if (file)
		fclose(file);
	return count;
}

static void huge_pages_are_taken_or_refused(void)
{
	unsigned long free_count = free_huge_pages();
	uint64_t too_much = (free_count + 16) * 2 * MIB;
	struct guest_memory memory;
	struct err err;

	CHECK_EQUAL(ram_map(&memory, too_much, true, &err), -ENOMEM);
	CHECK(strstr(err.text, "huge pages of 2 MiB to give"));
	CHECK(strstr(err.text, "vm.nr_hugepages"));
	CHECK(!memory.regions[0].host);
	if (free_count < 16)
		return;
	REQUIRE(!ram_map(&memory, 32 * MIB, true, NULL));
	memset(memory.regions[0].host, 1, 32 * MIB);
	CHECK_EQUAL(free_huge_pages() + 16, free_count);
	check_guards(&memory.regions[0]);
	ram_unmap(&memory);
	CHECK_EQUAL(free_huge_pages(), free_count);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(regions_are_laid_out_and_zero),
		TEST(guards_stand_around_each_region),
		TEST(ram_is_not_executable),
		TEST(sizes_without_a_layout_leave_nothing),
		TEST(hosts_without_room_are_an_error),
		TEST(huge_pages_are_taken_or_refused),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}
