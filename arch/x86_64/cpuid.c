/* arch/x86_64/cpuid.c - see cpuid.h. SDM 2A, CPUID; AMD APM 3, appendix E. */
#include "arch/x86_64/cpuid.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "base/math.h"

#define ENTRIES_FIRST 128
#define ENTRIES_MAX   4096
#define LEVELS_ADDED  2

#define LEAF1_ECX_TSC_DEADLINE (1U << 24)
#define LEAF1_ECX_HYPERVISOR   (1U << 31)
#define LEAF1_EDX_HTT	       (1U << 28)

#define TOPOLOGY_SMT  (1U << 8)
#define TOPOLOGY_CORE (2U << 8)

static bool has_entry(const struct kvm_cpuid2 *cpuid, uint32_t function,
		      uint32_t index)
{
	for (unsigned int i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == function &&
		    cpuid->entries[i].index == index)
			return true;
	return false;
}

void cpuid_add_levels(struct kvm_cpuid2 *cpuid)
{
	static const uint32_t leaves[LEVELS_ADDED] = {0xb, 0x1f};
	struct kvm_cpuid_entry2 level = {
		.index = 1,
		.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
	};

	for (size_t i = 0; i < ARRAY_LENGTH(leaves); i++) {
		level.function = leaves[i];
		if (has_entry(cpuid, leaves[i], 0) &&
		    !has_entry(cpuid, leaves[i], 1))
			cpuid->entries[cpuid->nent++] = level;
	}
}

struct kvm_cpuid2 *cpuid_supported(int kvm_fd, struct err *err)
{
	struct kvm_cpuid2 *cpuid;
	size_t size;

	for (unsigned int n = ENTRIES_FIRST; n <= ENTRIES_MAX; n *= 2) {
		size = (n + LEVELS_ADDED) * sizeof(*cpuid->entries);
		cpuid = calloc(1, sizeof(*cpuid) + size);
		if (!cpuid)
			break;
		cpuid->nent = n;
		if (!ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid)) {
			cpuid_add_levels(cpuid);
			return cpuid;
		}
		free(cpuid);
		if (errno != E2BIG)
			break;
	}
	err_errno(err, errno, "KVM does not tell which CPUID it supports");
	return NULL;
}

/* The number of bits that hold ids below @count. */
static uint32_t id_bits(unsigned int count)
{
	uint32_t bits = 0;

	while (1U << bits < count)
		bits++;
	return bits;
}

/* Leaves 0xb and 0x1f: one thread per core, all cores in one package. */
static void topology(struct kvm_cpuid_entry2 *entry, unsigned int index,
		     unsigned int cpus)
{
	entry->eax = entry->ebx = 0;
	entry->ecx = entry->index;
	entry->edx = index;
	if (entry->index == 0) {
		entry->ebx = 1;
		entry->ecx |= TOPOLOGY_SMT;
	} else if (entry->index == 1) {
		entry->eax = id_bits(cpus);
		entry->ebx = cpus;
		entry->ecx |= TOPOLOGY_CORE;
	}
}

/*
 * Leaf 4 and AMD's 0x8000001d: the caches are each core's own, but the last
 * level is shared. Leaf 4 also says how many core ids a package has.
 */
static void cache_sharing(struct kvm_cpuid_entry2 *entry, unsigned int cpus)
{
	uint32_t type = entry->eax & 0x1f, level = entry->eax >> 5 & 7;
	uint32_t last_id = (1U << id_bits(cpus)) - 1;

	if (!type)
		return; /* no cache: the end of the list */
	entry->eax &= 0x3fff;
	if (level >= 3)
		entry->eax |= (last_id & 0xfff) << 14;
	if (entry->function == 0x4)
		entry->eax |= (last_id & 0x3f) << 26;
}

static void features(struct kvm_cpuid_entry2 *entry, unsigned int index,
		     unsigned int cpus, bool deadline)
{
	uint32_t count = cpus < 256 ? cpus : 255;

	entry->ebx &= 0xff00;
	entry->ebx |= (index & 0xff) << 24 | count << 16;
	entry->ecx |= LEAF1_ECX_HYPERVISOR;
	entry->ecx &= ~LEAF1_ECX_TSC_DEADLINE;
	if (deadline)
		entry->ecx |= LEAF1_ECX_TSC_DEADLINE;
	entry->edx &= ~LEAF1_EDX_HTT;
	if (cpus > 1)
		entry->edx |= LEAF1_EDX_HTT;
}

void cpuid_specialise(struct kvm_cpuid2 *cpuid, unsigned int index,
		      unsigned int cpus, bool deadline)
{
	struct kvm_cpuid_entry2 *entry;

	for (unsigned int i = 0; i < cpuid->nent; i++) {
		entry = &cpuid->entries[i];
		switch (entry->function) {
		case 0x1:
			features(entry, index, cpus, deadline);
			break;
		case 0x4:
		case 0x8000001d:
			cache_sharing(entry, cpus);
			break;
		case 0xb:
		case 0x1f:
			topology(entry, index, cpus);
			break;
		case 0x80000008: /* AMD: ApicIdSize and NC */
			entry->ecx &= ~0xf0ffU;
			entry->ecx |= id_bits(cpus) << 12 | ((cpus - 1) & 0xff);
			break;
		case 0x8000001e: /* AMD: APIC id, core id, node 0 */
			entry->eax = index;
			entry->ebx = index & 0xff;
			entry->ecx = 0;
			break;
		}
	}
}
