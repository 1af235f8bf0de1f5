/*
 * What an x86 kernel leans on: CPUID's word on APIC ids, the local APIC's
 * timer in each mode, x2APIC, the kvmclock leaves, and that no PIT is needed.
 */
#include "runtime/x86_64/apic.h"
#include "runtime/cpu.h"
#include "runtime/machine.h"
#include "runtime/string.h"
#include "runtime/test.h"
#include "runtime/x86_64/io.h"

#define CPUID_1_HYPERVISOR   (1u << 31)
#define CPUID_1_TSC_DEADLINE (1u << 24)
#define CPUID_HYPERVISOR     0x40000000
#define CPUID_EXTENDED	     0x80000000
#define LONG_MODE	     (1 << 29)
#define MSR_TSC_DEADLINE     0x6e0
#define SECONDS		     5

static volatile unsigned int interrupts;

static void on_timer(void)
{
	interrupts++;
}

static bool wait_for(unsigned int count)
{
	bool held;

	interrupts_on();
	held = WAIT_UNTIL(interrupts >= count, SECONDS);
	interrupts_off();
	return held;
}

static void cpuid_apic_ids(void)
{
	CHECK_EQUAL(cpuid(1, 0).ebx >> 24, 0);
	if (cpuid(0, 0).eax >= 0xb && cpuid(0xb, 0).ebx)
		CHECK_EQUAL(cpuid(0xb, 0).edx, 0);
	CHECK_EQUAL(apic_read(APIC_ID) >> 24, 0);
}

static void cpuid_hypervisor(void)
{
	struct cpuid leaf = cpuid(CPUID_HYPERVISOR, 0);

	CHECK(cpuid(1, 0).ecx & CPUID_1_HYPERVISOR);
	CHECK(leaf.eax >= 0x40000001);
	CHECK(memcmp(&leaf.ebx, "KVMK", 4) == 0);
	CHECK(memcmp(&leaf.ecx, "VMKV", 4) == 0);
	CHECK(cpuid(CPUID_EXTENDED + 1, 0).edx & LONG_MODE);
}

static void periodic_timer(void)
{
	interrupts = 0;
	vector_connect(VECTOR_TIMER, on_timer);
	apic_write(APIC_TDCR, APIC_TDCR_BY_1);
	apic_write(APIC_LVTT, VECTOR_TIMER | APIC_LVT_PERIODIC);
	apic_write(APIC_TMICT, 1000000);
	REQUIRE(wait_for(5));
	apic_write(APIC_LVTT, APIC_LVT_MASKED);
	apic_write(APIC_TMICT, 0);
	wait_for(0); /* one may be pending still */
}

static void masked_timer(void)
{
	uint64_t since = clock_ticks();

	vector_connect(VECTOR_TIMER, on_timer);
	apic_write(APIC_LVTT, VECTOR_TIMER | APIC_LVT_MASKED);
	apic_write(APIC_TMICT, 100000);
	interrupts = 0;
	interrupts_on();
	while (clock_ticks() - since < clock_ticks_per_second() / 100)
		cpu_relax();
	interrupts_off();
	CHECK_EQUAL(interrupts, 0);
}

static void tsc_deadline_timer(void)
{
	if (!(cpuid(1, 0).ecx & CPUID_1_TSC_DEADLINE))
		SKIP("this CPU has no TSC deadline");
	interrupts = 0;
	vector_connect(VECTOR_TIMER, on_timer);
	apic_write(APIC_LVTT, VECTOR_TIMER | APIC_LVT_TSC_DEADLINE);
	msr_write(MSR_TSC_DEADLINE, clock_ticks() + 1000000);
	REQUIRE(wait_for(1));
	CHECK_EQUAL(msr_read(MSR_TSC_DEADLINE), 0);
}

static void interrupt_to_self(void)
{
	interrupts = 0;
	interrupt_send(0, on_timer);
	REQUIRE(wait_for(1));
	CHECK_EQUAL(interrupts, 1);
}

/* Last: there is no way back to the MMIO page. */
static void x2apic(void)
{
	if (!apic_has_x2apic())
		SKIP("this CPU has no x2APIC");
	apic_enable_x2apic();
	CHECK_EQUAL(apic_read(APIC_ID), 0);
	interrupt_to_self();
	interrupts = 0;
	timer_start(1000, on_timer);
	CHECK(wait_for(1));
}

void guest_main(void)
{
	static const struct test tests[] = {
		TEST(cpuid_apic_ids),
		TEST(cpuid_hypervisor),
		TEST(periodic_timer),
		TEST(masked_timer),
		TEST(tsc_deadline_timer),
		TEST(interrupt_to_self),
		TEST(x2apic),
	};

	tests_run(tests, ARRAY_LENGTH(tests));
}
