/*
 * arch/x86_64/vm.c - the in-kernel interrupt controllers (PIC, IOAPIC, one
 * LAPIC per vCPU) and each vCPU's start.
 *
 * There is no PIT: the LAPIC's TSC-deadline timer and kvmclock serve every
 * kernel that we boot, and a PIT nobody needs would only cost exits.
 */
#include <asm/kvm.h>
#include <asm/kvm_para.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "arch/arch.h"
#include "arch/x86_64/cpuid.h"
#include "arch/x86_64/layout.h"

#define APIC_IDS_8_BIT 255

#define CR0_PE	 (1UL << 0)
#define CR0_ET	 (1UL << 4)
#define CR0_PG	 (1UL << 31)
#define CR4_PAE	 (1UL << 5)
#define EFER_LME (1UL << 8)
#define EFER_LMA (1UL << 10)

#define RFLAGS_FIXED 0x2

#define MSR_MTRR_DEFAULT_TYPE	0x2ff
#define MTRR_ENABLED_WRITE_BACK (1 << 11 | 6)
#define MSR_MISC_ENABLE		0x1a0
#define MISC_ENABLE_FAST_STRING 1

struct arch_vm {
	int vm_fd;		      /* [c] not owned */
	unsigned int cpus;	      /* [c] */
	bool deadline;		      /* [c] */
	struct kvm_cpuid2 *supported; /* [c] */
};

static int create_irqchip(const struct arch_vm *vm, struct err *err)
{
	uint64_t identity = LAYOUT_KVM_IDENTITY;
	struct kvm_enable_cap x2apic = {
		.cap = KVM_CAP_X2APIC_API,
		.args[0] = KVM_X2APIC_API_USE_32BIT_IDS |
			   KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK,
	};

	if (ioctl(vm->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) ||
	    ioctl(vm->vm_fd, KVM_SET_TSS_ADDR, LAYOUT_KVM_TSS))
		return err_errno(err, errno, "KVM refuses our memory layout");
	if (ioctl(vm->vm_fd, KVM_CREATE_IRQCHIP, 0))
		return err_errno(err, errno,
				 "KVM cannot make an interrupt controller");
	if (vm->cpus > APIC_IDS_8_BIT &&
	    ioctl(vm->vm_fd, KVM_ENABLE_CAP, &x2apic))
		return err_errno(err, errno,
				 "this KVM cannot run more than %d vCPUs",
				 APIC_IDS_8_BIT);
	return 0;
}

int arch_vm_new(int kvm_fd, int vm_fd, unsigned int cpus,
		struct arch_vm **ret_vm, struct err *err)
{
	struct arch_vm *vm = calloc(1, sizeof(*vm));
	int ret;

	if (!vm)
		return err_set(err, ENOMEM, "no memory for the machine");
	vm->vm_fd = vm_fd;
	vm->cpus = cpus;
	vm->deadline = ioctl(kvm_fd, KVM_CHECK_EXTENSION,
			     KVM_CAP_TSC_DEADLINE_TIMER) > 0;
	vm->supported = cpuid_supported(kvm_fd, err);
	ret = vm->supported ? create_irqchip(vm, err) : -EIO;
	if (ret)
		arch_vm_free(vm);
	else
		*ret_vm = vm;
	return ret;
}

unsigned long arch_vcpu_id(unsigned int index)
{
	return index; /* = the APIC id */
}

static int set_cpuid(const struct arch_vm *vm, int vcpu_fd, unsigned int index,
		     struct err *err)
{
	size_t size = sizeof(*vm->supported) +
		      vm->supported->nent * sizeof(*vm->supported->entries);
	struct kvm_cpuid2 *cpuid = malloc(size);
	int ret = 0;

	if (!cpuid)
		return err_set(err, ENOMEM, "no memory for CPUID");
	memcpy(cpuid, vm->supported, size);
	cpuid_specialise(cpuid, index, vm->cpus, vm->deadline);
	if (ioctl(vcpu_fd, KVM_SET_CPUID2, cpuid))
		ret = err_errno(err, errno, "KVM refuses its own CPUID");
	free(cpuid);
	return ret;
}

static int set_msrs(int vcpu_fd, struct err *err)
{
	static const struct kvm_msr_entry entries[] = {
		{.index = MSR_MTRR_DEFAULT_TYPE,
		 .data = MTRR_ENABLED_WRITE_BACK},
		{.index = MSR_MISC_ENABLE, .data = MISC_ENABLE_FAST_STRING},
	};
	struct kvm_msrs *msrs = calloc(1, sizeof(*msrs) + sizeof(entries));
	int ret = 0, set;

	if (!msrs)
		return err_set(err, ENOMEM, "no memory for MSRs");
	msrs->nmsrs = ARRAY_LENGTH(entries);
	memcpy(msrs->entries, entries, sizeof(entries));
	set = ioctl(vcpu_fd, KVM_SET_MSRS, msrs);
	if (set < 0)
		ret = err_errno(err, errno, "KVM refuses a vCPU's MSRs");
	else if (set < (int)ARRAY_LENGTH(entries))
		ret = err_set(err, EIO, "KVM refuses MSR %#x",
			      entries[set].index);
	free(msrs);
	return ret;
}

/* A flat segment of 4 GiB. */
static struct kvm_segment flat_segment(uint16_t selector, uint8_t type)
{
	return (struct kvm_segment){
		.limit = UINT32_MAX,
		.selector = selector,
		.type = type,
		.present = 1,
		.s = 1,
		.g = 1,
		.db = 1,
	};
}

static void set_segments(struct kvm_sregs *sregs, bool protected_mode)
{
	struct kvm_segment data = flat_segment(LAYOUT_BOOT_DS, 0x3);

	sregs->cs = flat_segment(LAYOUT_BOOT_CS, 0xb);
	if (!protected_mode) {
		sregs->cs.db = 0;
		sregs->cs.l = 1;
	}
	sregs->ds = sregs->es = sregs->ss = sregs->fs = sregs->gs = data;
	/* VMX wants a busy TSS even where nothing uses it. */
	sregs->tr =
		(struct kvm_segment){.limit = 0x67, .type = 0xb, .present = 1};
	sregs->ldt = (struct kvm_segment){.unusable = 1};
	sregs->gdt.base = LAYOUT_GDT;
	sregs->gdt.limit = 4 * 8 - 1;
	sregs->idt.base = 0;
	sregs->idt.limit = 0;
}

static int set_registers(int vcpu_fd, const struct arch_entry *entry,
			 struct err *err)
{
	struct kvm_regs regs = {.rip = entry->pc, .rflags = RFLAGS_FIXED};
	struct kvm_sregs sregs;

	if (ioctl(vcpu_fd, KVM_GET_SREGS, &sregs))
		return err_errno(err, errno, "cannot read a vCPU's registers");
	set_segments(&sregs, entry->protected_mode);
	sregs.cr0 = CR0_PE | CR0_ET;
	if (entry->protected_mode) {
		regs.rbx = entry->argument;
	} else {
		regs.rsi = entry->argument;
		sregs.cr3 = LAYOUT_PAGE_TABLES;
		sregs.cr4 |= CR4_PAE;
		sregs.cr0 |= CR0_PG;
		sregs.efer |= EFER_LME | EFER_LMA;
	}
	if (ioctl(vcpu_fd, KVM_SET_SREGS, &sregs) ||
	    ioctl(vcpu_fd, KVM_SET_REGS, &regs))
		return err_errno(err, errno, "cannot set a vCPU's registers");
	return 0;
}

int arch_vcpu_init(struct arch_vm *vm, int vcpu_fd, unsigned int index,
		   const struct arch_entry *entry, struct err *err)
{
	int ret = set_cpuid(vm, vcpu_fd, index, err);

	if (!ret)
		ret = set_msrs(vcpu_fd, err);
	/* The others wait for INIT and SIPI, as KVM creates them. */
	if (!ret && index == 0)
		ret = set_registers(vcpu_fd, entry, err);
	return ret;
}

int arch_vm_start(struct arch_vm *vm, struct err *err)
{
	(void)vm;
	(void)err;
	return 0; /* KVM_CREATE_IRQCHIP did it all */
}

void arch_vm_free(struct arch_vm *vm)
{
	if (!vm)
		return;
	free(vm->supported);
	free(vm);
}

static void dump_segment(FILE *out, const char *name,
			 const struct kvm_segment *segment)
{
	fprintf(out, "%-3s %04x base %016llx limit %08x type %x l %u\n", name,
		segment->selector, segment->base, segment->limit, segment->type,
		segment->l);
}

void arch_vcpu_dump(int vcpu_fd, FILE *out)
{
	struct kvm_regs r;
	struct kvm_sregs s;

	if (ioctl(vcpu_fd, KVM_GET_REGS, &r) ||
	    ioctl(vcpu_fd, KVM_GET_SREGS, &s)) {
		fprintf(out, "the registers cannot be read\n");
		return;
	}
	fprintf(out, "rip %016llx rflags %016llx\n", r.rip, r.rflags);
	fprintf(out, "rax %016llx rbx %016llx rcx %016llx rdx %016llx\n", r.rax,
		r.rbx, r.rcx, r.rdx);
	fprintf(out, "rsi %016llx rdi %016llx rsp %016llx rbp %016llx\n", r.rsi,
		r.rdi, r.rsp, r.rbp);
	fprintf(out, "r8  %016llx r9  %016llx r10 %016llx r11 %016llx\n", r.r8,
		r.r9, r.r10, r.r11);
	fprintf(out, "r12 %016llx r13 %016llx r14 %016llx r15 %016llx\n", r.r12,
		r.r13, r.r14, r.r15);
	fprintf(out, "cr0 %016llx cr2 %016llx cr3 %016llx cr4 %016llx\n", s.cr0,
		s.cr2, s.cr3, s.cr4);
	fprintf(out, "efer %016llx gdt %016llx/%x idt %016llx/%x\n", s.efer,
		s.gdt.base, s.gdt.limit, s.idt.base, s.idt.limit);
	dump_segment(out, "cs", &s.cs);
	dump_segment(out, "ss", &s.ss);
	dump_segment(out, "ds", &s.ds);
}
