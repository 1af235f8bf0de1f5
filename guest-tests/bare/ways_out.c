/*
 * The ways out of the machine: does what the command line's way= says and
 * leaves the rest to the host, which looks at the exit status.
 *
 *   exit (with value=)   power-off   reset   panic   crash   hang
 *   reset-twice: resets the machine in place until the counter in sector
 *                counter= of disk 0 says that this is the third start
 */
#include "runtime/blk.h"
#include "runtime/cpu.h"
#include "runtime/machine.h"
#include "runtime/print.h"
#include "runtime/string.h"
#include "runtime/test.h"

#define STARTS_WANTED 3

static uint8_t sector[SECTOR] __attribute__((aligned(8)));

/* Must be as the kernel file has it, however often the machine was reset. */
static uint64_t of_the_file = 0x1234;
static uint64_t cleared;

/* How often the machine has started, this time included; 0: no disk. */
static uint64_t count_starts(void)
{
	uint64_t where = option_number("counter", 0), *count = (void *)sector;
	struct blk disk;

	if (!blk_open(&disk, 0, BLK_FEATURES) ||
	    blk_read(&disk, where, sector, 1) != VIRTIO_BLK_S_OK)
		return 0;
	++*count;
	if (blk_write(&disk, where, sector, 1) != VIRTIO_BLK_S_OK ||
	    blk_flush(&disk) != VIRTIO_BLK_S_OK)
		return 0;
	return *count;
}

static void reset_twice(void)
{
	uint64_t starts = count_starts();
	bool fresh = of_the_file == 0x1234 && cleared == 0;

	of_the_file = cleared = 1;
	print("# start %lu\n", starts);
	if (!fresh)
		test_report("reset_twice", "memory is not as after a start");
	else if (!starts)
		test_report("reset_twice", "the counter's disk fails");
	else if (starts < STARTS_WANTED)
		machine_reset();
	if (starts < STARTS_WANTED && fresh)
		for (;;)
			cpu_relax();
	test_report("reset_twice", starts == STARTS_WANTED
					   ? NULL
					   : "another number of starts");
}

static void leave(const char *way)
{
	print("# leaving: %s\n", way);
	if (text_equal(way, "exit"))
		machine_exit((unsigned int)option_number("value", 0));
	if (text_equal(way, "power-off"))
		machine_power_off();
	if (text_equal(way, "reset"))
		machine_reset();
	if (text_equal(way, "panic"))
		machine_panic();
	if (text_equal(way, "crash"))
		machine_crash();
	print("# ready\n");
	/* The VMM's main thread may need a moment to end us; or it is hang. */
	for (;;)
		cpu_relax();
}

void guest_main(void)
{
	char way[32];

	text_copy(way, option("way") ? option("way") : "exit", sizeof(way));
	if (text_equal(way, "reset-twice"))
		reset_twice();
	else
		leave(way);
}
