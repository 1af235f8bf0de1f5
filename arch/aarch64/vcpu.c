/*
 * arch/aarch64/vcpu.c - sets vCPUs to their start and reads them out.
 *
 * All start as KVM's preferred target, with PSCI 0.2 (or what is newer in the
 * host's KVM); all but the first wait, powered off, for a PSCI CPU_ON.
 *
 * Not done: SVE, pointer authentication, the PMU and nested virtualisation,
 * which KVM leaves off unless asked.
 */
#include <asm/ptrace.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stddef.h>
#include <sys/ioctl.h>

#include "arch/aarch64/map.h"
#include "arch/aarch64/vm.h"
#include "arch/arch.h"

#define CORE_REGISTER(field)                                   \
	(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | \
	 (offsetof(struct kvm_regs, field) / sizeof(uint32_t)))

/* x0 to x30 lie one after the other. */
static uint64_t x_register(unsigned int number)
{
	return CORE_REGISTER(regs.regs) +
	       number * (sizeof(uint64_t) / sizeof(uint32_t));
}

static int set_register(int vcpu_fd, uint64_t id, uint64_t value,
			struct err *err)
{
	struct kvm_one_reg reg = {.id = id, .addr = (uintptr_t)&value};

	if (ioctl(vcpu_fd, KVM_SET_ONE_REG, &reg) < 0)
		return err_errno(err, errno, "cannot set vCPU register %#llx",
				 (unsigned long long)id);
	return 0;
}

/* A host whose KVM numbers vCPUs otherwise would only boot the first one. */
static int check_mpidr(int vcpu_fd, unsigned int index, struct err *err)
{
	const uint64_t affinity = 0xff00ffffff;
	uint64_t mpidr;
	struct kvm_one_reg reg = {
		.id = ARM64_SYS_REG(3, 0, 0, 0, 5), /* MPIDR_EL1 */
		.addr = (uintptr_t)&mpidr,
	};

	if (ioctl(vcpu_fd, KVM_GET_ONE_REG, &reg) < 0)
		return err_errno(err, errno, "cannot read vCPU %u's MPIDR",
				 index);
	if ((mpidr & affinity) != map_mpidr(index))
		return err_set(err, ENOTSUP,
			       "KVM gave vCPU %u the MPIDR %#llx, which is not "
			       "the one in the device tree",
			       index, (unsigned long long)mpidr);
	return 0;
}

/* The state that Linux' booting.rst asks for: EL1, all interrupts masked. */
static int set_entry(int vcpu_fd, const struct arch_entry *entry,
		     struct err *err)
{
	const uint64_t pstate = PSR_MODE_EL1h | PSR_D_BIT | PSR_A_BIT |
				PSR_I_BIT | PSR_F_BIT;
	int ret = set_register(vcpu_fd, CORE_REGISTER(regs.pc), entry->pc, err);

	if (!ret)
		ret = set_register(vcpu_fd, CORE_REGISTER(regs.pstate), pstate,
				   err);
	for (unsigned int i = 0; !ret && i < 4; i++)
		ret = set_register(vcpu_fd, x_register(i),
				   i == 0 ? entry->argument : 0, err);
	return ret;
}

unsigned long arch_vcpu_id(unsigned int index)
{
	return index;
}

int arch_vcpu_init(struct arch_vm *vm, int vcpu_fd, unsigned int index,
		   const struct arch_entry *entry, struct err *err)
{
	struct kvm_vcpu_init init;
	int ret;

	if (ioctl(vm->vm_fd, KVM_ARM_PREFERRED_TARGET, &init) < 0)
		return err_errno(err, errno, "KVM offers no vCPU type");
	init.features[0] |= 1U << KVM_ARM_VCPU_PSCI_0_2;
	if (index > 0)
		init.features[0] |= 1U << KVM_ARM_VCPU_POWER_OFF;
	if (ioctl(vcpu_fd, KVM_ARM_VCPU_INIT, &init) < 0)
		return err_errno(err, errno, "cannot initialise vCPU %u",
				 index);

	ret = check_mpidr(vcpu_fd, index, err);
	if (ret || index > 0)
		return ret;
	return set_entry(vcpu_fd, entry, err);
}

static const struct {
	const char *name;
	uint64_t id;
} special_registers[] = {
	{"sp_el0", CORE_REGISTER(regs.sp)},
	{"sp_el1", CORE_REGISTER(sp_el1)},
	{"pc", CORE_REGISTER(regs.pc)},
	{"pstate", CORE_REGISTER(regs.pstate)},
	{"elr_el1", CORE_REGISTER(elr_el1)},
	{"spsr_el1", CORE_REGISTER(spsr[KVM_SPSR_EL1])},
	{"esr_el1", ARM64_SYS_REG(3, 0, 5, 2, 0)},
	{"far_el1", ARM64_SYS_REG(3, 0, 6, 0, 0)},
	{"vbar_el1", ARM64_SYS_REG(3, 0, 12, 0, 0)},
	{"sctlr_el1", ARM64_SYS_REG(3, 0, 1, 0, 0)},
	{"ttbr0_el1", ARM64_SYS_REG(3, 0, 2, 0, 0)},
	{"ttbr1_el1", ARM64_SYS_REG(3, 0, 2, 0, 1)},
};

/* Three to a row. */
static void dump_register(int vcpu_fd, const char *name, uint64_t id,
			  bool ends_row, FILE *out)
{
	uint64_t value;
	struct kvm_one_reg reg = {.id = id, .addr = (uintptr_t)&value};

	if (ioctl(vcpu_fd, KVM_GET_ONE_REG, &reg) < 0)
		fprintf(out, "%10s %-16s", name, "unreadable");
	else
		fprintf(out, "%10s %016" PRIx64, name, value);
	if (ends_row)
		fputc('\n', out);
}

void arch_vcpu_dump(int vcpu_fd, FILE *out)
{
	const unsigned int count = ARRAY_LENGTH(special_registers);
	char name[16];

	for (unsigned int i = 0; i <= 30; i++) {
		snprintf(name, sizeof(name), "x%u", i);
		dump_register(vcpu_fd, name, x_register(i),
			      i % 3 == 2 || i == 30, out);
	}
	for (unsigned int i = 0; i < count; i++)
		dump_register(vcpu_fd, special_registers[i].name,
			      special_registers[i].id,
			      i % 3 == 2 || i == count - 1, out);
}
