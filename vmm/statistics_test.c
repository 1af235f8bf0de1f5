/* vmm/statistics_test.c - the file of --stats. */
#include "vmm/statistics.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/math.h"
#include "base/test.h"

static const struct run_options options = {
	.cpus = 1,
	.disk_count = 1,
	.disks = {{.block.path = "a \"disk\""}},
};

static const struct statistics statistics = {
	.lives = 2,
	.wall_nsec = 3,
	.cpu_nsec = 4,
	.vcpus = {{.cpu_nsec = 5,
		   .io = 6,
		   .mmio = 7,
		   .interrupted = 8,
		   .other = 9}},
	.disks = {{.reads = 10,
		   .writes = 11,
		   .flushes = 12,
		   .discards = 13,
		   .write_zeroes = 14,
		   .others = 15,
		   .failed = 16,
		   .bytes_read = 17,
		   .bytes_written = UINT64_MAX,
		   .most_at_a_time = 19,
		   .interrupts = 20,
		   .sleeps = 21,
		   .spins = 22,
		   .spins_won = 23,
		   .cpu_nsec = 24,
		   .queue = {.kicks = 25,
			     .at_once = 26,
			     .by_engine = 27,
			     .by_workers = 28},
		   .queue_count = 29,
		   .engine = "threads"}},
	.tables = {{.lookups = 30, .misses = 31, .evictions = 32}},
};

static const char want[] = "{\n"
			   "    \"lives\": 2,\n"
			   "    \"wall-ns\": 3,\n"
			   "    \"cpu-ns\": 4,\n"
			   "    \"vcpus\": [\n"
			   "        {\n"
			   "            \"cpu-ns\": 5,\n"
			   "            \"exits\": {\n"
			   "                \"io\": 6,\n"
			   "                \"mmio\": 7,\n"
			   "                \"interrupted\": 8,\n"
			   "                \"other\": 9\n"
			   "            }\n"
			   "        }\n"
			   "    ],\n"
			   "    \"disks\": [\n"
			   "        {\n"
			   "            \"filename\": \"a \\\"disk\\\"\",\n"
			   "            \"engine\": \"threads\",\n"
			   "            \"queues\": 29,\n"
			   "            \"requests\": {\n"
			   "                \"read\": 10,\n"
			   "                \"write\": 11,\n"
			   "                \"flush\": 12,\n"
			   "                \"discard\": 13,\n"
			   "                \"write-zeroes\": 14,\n"
			   "                \"other\": 15,\n"
			   "                \"failed\": 16,\n"
			   "                \"most-at-a-time\": 19\n"
			   "            },\n"
			   "            \"bytes\": {\n"
			   "                \"read\": 17,\n"
			   "                \"written\": 18446744073709551615\n"
			   "            },\n"
			   "            \"threads\": {\n"
			   "                \"cpu-ns\": 24,\n"
			   "                \"kicks\": 25,\n"
			   "                \"interrupts\": 20,\n"
			   "                \"sleeps\": 21,\n"
			   "                \"spins\": 22,\n"
			   "                \"spins-won\": 23\n"
			   "            },\n"
			   "            \"parts\": {\n"
			   "                \"at-once\": 26,\n"
			   "                \"by-engine\": 27,\n"
			   "                \"by-workers\": 28\n"
			   "            },\n"
			   "            \"tables\": {\n"
			   "                \"lookups\": 30,\n"
			   "                \"misses\": 31,\n"
			   "                \"evictions\": 32\n"
			   "            }\n"
			   "        }\n"
			   "    ]\n"
			   "}\n";

static void each_count_has_its_key(void)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	REQUIRE(out);
	statistics_print(&statistics, &options, out);
	fclose(out);
	CHECK_TEXT(text, want);
	free(text);
}

/* Also of what was longer. */
static void what_was_in_the_file_goes_when_it_is_saved(void)
{
	static char old[10000], got[10000];
	int file = memfd_create("statistics_test", MFD_CLOEXEC);
	struct err err;
	char path[64];
	int fd;

	REQUIRE(file >= 0);
	memset(old, 'x', sizeof(old));
	REQUIRE(!fd_write_at(file, old, sizeof(old), 0));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	fd = statistics_open(path, &err);
	REQUIRE(fd >= 0);
	CHECK(!fd_read_at(file, got, sizeof(got), 0));
	CHECK(!memcmp(got, old, sizeof(got)));
	CHECK_EQUAL(statistics_save(&statistics, &options, fd), 0);
	memset(got, 0, sizeof(got));
	CHECK_EQUAL(pread(file, got, sizeof(got), 0), (ssize_t)strlen(want));
	CHECK_TEXT(got, want);
	CHECK_EQUAL(fcntl(fd, F_GETFD), -1); /* it is closed */
	fd_close(&file);
}

static void what_cannot_be_written_is_told(void)
{
	struct err err = {""};
	int fd;

	CHECK_EQUAL(statistics_open("/proc/none/there", &err), -ENOENT);
	CHECK_TEXT(err.text, "cannot write --stats to /proc/none/there: No "
			     "such file or directory");
	fd = statistics_open("/dev/full", &err);
	REQUIRE(fd >= 0);
	CHECK_EQUAL(statistics_save(&statistics, &options, fd), -ENOSPC);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(each_count_has_its_key),
		TEST(what_was_in_the_file_goes_when_it_is_saved),
		TEST(what_cannot_be_written_is_told),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}
