/*
 * PSCI (Arm DEN 0022), by which a kernel starts and counts CPUs: its version,
 * what it says of CPUs that are on, off and not there, and its errors.
 */
#include "runtime/aarch64/machine.h"
#include "runtime/cpu.h"
#include "runtime/machine.h"
#include "runtime/test.h"

#define AFFINITY_ON	   0
#define AFFINITY_OFF	   1
#define INVALID_PARAMETERS (-2)
#define ALREADY_ON	   (-4)
#define NOT_SUPPORTED	   (-1)
#define NOBODY		   0x00ffffffUL
#define SECONDS		   5

static void stay(void *argument)
{
	(void)argument;
	for (;;)
		cpu_relax();
}

static int64_t affinity_info(uint64_t mpidr)
{
	return psci(PSCI_AFFINITY_INFO, mpidr, 0, 0);
}

static void version(void)
{
	CHECK(psci(PSCI_VERSION, 0, 0, 0) >= 2);
}

static void functions(void)
{
	if (psci(PSCI_VERSION, 0, 0, 0) < 0x10000)
		SKIP("PSCI before 1.0 cannot be asked");
	CHECK_EQUAL(psci(PSCI_FEATURES, PSCI_CPU_ON, 0, 0), 0);
	CHECK_EQUAL(psci(PSCI_FEATURES, PSCI_SYSTEM_OFF, 0, 0), 0);
	CHECK_EQUAL(psci(PSCI_FEATURES, PSCI_SYSTEM_RESET, 0, 0), 0);
	CHECK_EQUAL(psci(PSCI_FEATURES, 0x84001234, 0, 0), NOT_SUPPORTED);
}

static void cpus_that_are_off(void)
{
	CHECK_EQUAL(affinity_info(cpu_mpidr(0)), AFFINITY_ON);
	REQUIRE(cpu_count() >= 2);
	CHECK_EQUAL(affinity_info(cpu_mpidr(1)), AFFINITY_OFF);
}

static void cpus_that_are_on(void)
{
	REQUIRE(cpu_start(1, stay, NULL, SECONDS));
	CHECK_EQUAL(affinity_info(cpu_mpidr(1)), AFFINITY_ON);
	CHECK(!cpu_start(1, stay, NULL, 1));
	CHECK_EQUAL(psci(PSCI_CPU_ON, cpu_mpidr(1), 0, 0), ALREADY_ON);
	CHECK_EQUAL(psci(PSCI_CPU_ON, cpu_mpidr(0), 0, 0), ALREADY_ON);
}

static void cpus_that_are_not_there(void)
{
	CHECK_EQUAL(psci(PSCI_CPU_ON, NOBODY, 0, 0), INVALID_PARAMETERS);
	CHECK_EQUAL(affinity_info(NOBODY), INVALID_PARAMETERS);
}

void guest_main(void)
{
	static const struct test tests[] = {
		TEST(version),
		TEST(functions),
		TEST(cpus_that_are_off),
		TEST(cpus_that_are_on),
		TEST(cpus_that_are_not_there),
	};

	tests_run(tests, ARRAY_LENGTH(tests));
}
