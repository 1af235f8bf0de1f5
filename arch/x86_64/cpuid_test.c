/*
 * arch/x86_64/cpuid_test.c - a small table of leaves, made each vCPU's own and
 * read as kernels read their topology (SDM 3A, 9.9; AMD APM 3, E.4).
 */
#include "arch/x86_64/cpuid.h"

#include <stdlib.h>

#include "base/math.h"
#include "base/test.h"

#define HTT	     (1U << 28)
#define TSC_DEADLINE (1U << 24)
#define HYPERVISOR   (1U << 31)

/* What a KVM answers: no APIC ids, the topology's first level only. */
static const struct kvm_cpuid_entry2 supported[] = {
	{.function = 0x0, .eax = 0x1f},
	{.function = 0x1,
	 .eax = 0x800f12,
	 .ebx = 0xaa558877,
	 .ecx = 1 | TSC_DEADLINE,
	 .edx = 2 | HTT},
	{.function = 0x4, .index = 0, .eax = 0xffffc121, .ebx = 0x1c0003f},
	{.function = 0x4, .index = 3, .eax = 0xffffc163, .ebx = 0x1c0003f},
	{.function = 0x4, .index = 4},
	{.function = 0xb, .index = 0, .edx = 99},
	{.function = 0x1f, .index = 0},
	{.function = 0x40000000, .ebx = 0x4b4d564b},
	{.function = 0x80000008, .eax = 0x3030, .ecx = 0x7a0f},
	{.function = 0x8000001d, .index = 2, .eax = 0x03ffc143},
	{.function = 0x8000001d, .index = 3, .eax = 0x00004163},
	{.function = 0x8000001d, .index = 4},
	{.function = 0x8000001e, .eax = 77, .ebx = 0x101, .ecx = 0x300},
};

/* The table for one vCPU; the caller frees. */
static struct kvm_cpuid2 *specialised(unsigned int index, unsigned int cpus,
				      bool deadline)
{
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) +
						     sizeof(supported) +
						     2 * sizeof(supported[0]));

	if (!cpuid)
		abort();
	memcpy(cpuid->entries, supported, sizeof(supported));
	cpuid->nent = ARRAY_LENGTH(supported);
	cpuid_add_levels(cpuid);
	cpuid_specialise(cpuid, index, cpus, deadline);
	return cpuid;
}

static struct kvm_cpuid_entry2 get(const struct kvm_cpuid2 *cpuid,
				   uint32_t function, uint32_t index)
{
	for (unsigned int i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == function &&
		    cpuid->entries[i].index == index)
			return cpuid->entries[i];
	printf("# leaf %#x.%u is missing\n", function, index);
	test_failed = true;
	return (struct kvm_cpuid_entry2){0};
}

static void check_leaf_1(const struct kvm_cpuid2 *cpuid, unsigned int index,
			 unsigned int cpus)
{
	struct kvm_cpuid_entry2 leaf = get(cpuid, 0x1, 0);

	CHECK_EQUAL(leaf.ebx >> 24, index & 0xff);
	CHECK_EQUAL(leaf.ebx >> 16 & 0xff, cpus < 256 ? cpus : 255);
	CHECK_EQUAL(leaf.ebx & 0xffff, 0x8800); /* CLFLUSH size stays */
	CHECK(leaf.ecx & HYPERVISOR);
	CHECK_EQUAL(leaf.edx, cpus > 1 ? 2 | HTT : 2);
}

/* Ids shifted by a level's width are equal for all CPUs of one such unit. */
static void check_topology(const struct kvm_cpuid2 *cpuid, uint32_t function,
			   unsigned int index, unsigned int cpus)
{
	struct kvm_cpuid_entry2 thread = get(cpuid, function, 0);
	struct kvm_cpuid_entry2 core = get(cpuid, function, 1);

	CHECK_EQUAL(thread.edx, index);
	CHECK_EQUAL(thread.ecx, 1 << 8);
	CHECK_EQUAL(thread.eax, 0); /* one thread per core */
	CHECK_EQUAL(thread.ebx, 1);
	CHECK_EQUAL(core.edx, index);
	CHECK_EQUAL(core.ecx, 2 << 8 | 1);
	CHECK_EQUAL(core.ebx, cpus);
	CHECK(core.flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX);
	CHECK_EQUAL((cpus - 1) >> core.eax, 0); /* one package */
	CHECK(core.eax == 0 || (cpus - 1) >> (core.eax - 1) == 1);
}

static void check_amd(const struct kvm_cpuid2 *cpuid, unsigned int index,
		      unsigned int cpus)
{
	struct kvm_cpuid_entry2 sizes = get(cpuid, 0x80000008, 0);
	struct kvm_cpuid_entry2 ids = get(cpuid, 0x8000001e, 0);

	CHECK_EQUAL(sizes.ecx & 0xff, cpus - 1);
	CHECK((1U << (sizes.ecx >> 12 & 0xf)) >= cpus);
	CHECK_EQUAL(sizes.eax, 0x3030);
	CHECK_EQUAL(ids.eax, index);
	CHECK_EQUAL(ids.ebx, index & 0xff); /* one thread per core */
	CHECK_EQUAL(ids.ecx, 0);
}

static void every_cpu_finds_itself(void)
{
	static const unsigned int counts[] = {1, 2, 3, 64, 255};
	struct kvm_cpuid2 *cpuid;

	for (size_t i = 0; i < ARRAY_LENGTH(counts); i++) {
		for (unsigned int index = 0; index < counts[i]; index++) {
			cpuid = specialised(index, counts[i], true);
			check_leaf_1(cpuid, index, counts[i]);
			check_topology(cpuid, 0xb, index, counts[i]);
			check_topology(cpuid, 0x1f, index, counts[i]);
			check_amd(cpuid, index, counts[i]);
			free(cpuid);
		}
	}
}

static void ids_may_be_longer_than_a_byte(void)
{
	struct kvm_cpuid2 *cpuid = specialised(299, 300, true);

	check_leaf_1(cpuid, 299, 300);
	check_topology(cpuid, 0xb, 299, 300);
	free(cpuid);
}

static uint32_t sharing(const struct kvm_cpuid2 *cpuid, uint32_t function,
			uint32_t index)
{
	return (get(cpuid, function, index).eax >> 14 & 0xfff) + 1;
}

static void last_caches_are_shared(void)
{
	struct kvm_cpuid2 *cpuid = specialised(0, 3, true);

	CHECK_EQUAL(sharing(cpuid, 0x4, 0), 1);
	CHECK_EQUAL(sharing(cpuid, 0x4, 3), 4);
	CHECK_EQUAL(sharing(cpuid, 0x8000001d, 2), 1);
	CHECK_EQUAL(sharing(cpuid, 0x8000001d, 3), 4);
	CHECK_EQUAL((get(cpuid, 0x4, 0).eax >> 26) + 1, 4);
	CHECK_EQUAL(get(cpuid, 0x4, 0).eax & 0x3fff, 0x0121);
	/* What ends the list of caches stays nothing. */
	CHECK_EQUAL(get(cpuid, 0x4, 4).eax, 0);
	CHECK_EQUAL(get(cpuid, 0x8000001d, 4).eax, 0);
	free(cpuid);
}

static void deadline_timer_is_as_told(void)
{
	struct kvm_cpuid2 *with = specialised(0, 1, true);
	struct kvm_cpuid2 *without = specialised(0, 1, false);

	CHECK(get(with, 0x1, 0).ecx & TSC_DEADLINE);
	CHECK(!(get(without, 0x1, 0).ecx & TSC_DEADLINE));
	free(with);
	free(without);
}

static void other_leaves_stay(void)
{
	struct kvm_cpuid2 *cpuid = specialised(1, 2, true);

	CHECK_EQUAL(get(cpuid, 0x0, 0).eax, 0x1f);
	CHECK_EQUAL(get(cpuid, 0x40000000, 0).ebx, 0x4b4d564b);
	CHECK_EQUAL(cpuid->nent, ARRAY_LENGTH(supported) + 2);
	/* The levels are there now: none is added twice. */
	cpuid_add_levels(cpuid);
	CHECK_EQUAL(cpuid->nent, ARRAY_LENGTH(supported) + 2);
	free(cpuid);
}

/* A CPU that has no such leaf gets none. */
static void no_level_without_its_leaf(void)
{
	struct kvm_cpuid2 *cpuid =
		calloc(1, sizeof(*cpuid) + 3 * sizeof(supported[0]));

	REQUIRE(cpuid);
	cpuid->nent = 1;
	cpuid_add_levels(cpuid);
	CHECK_EQUAL(cpuid->nent, 1);
	free(cpuid);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(every_cpu_finds_itself),
		TEST(ids_may_be_longer_than_a_byte),
		TEST(last_caches_are_shared),
		TEST(deadline_timer_is_as_told),
		TEST(other_leaves_stay),
		TEST(no_level_without_its_leaf),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}
