/*
 * block/prompt_test.c - which I/O a queue's thread does itself, and when it
 * leaves that.
 */
#include "block/prompt.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/math.h"
#include "base/test.h"

struct rig {
	struct file file;
	struct block_request request;
	struct part part;
	struct prompt prompt;
	struct iovec iov;
	uint8_t memory[128 * KIB];
};

/* A new file in a folder, of 256 KiB of one byte, all in the page cache. */
static bool rig_init(struct rig *rig, const char *folder)
{
	char path[256];

	memset(rig, 0, sizeof(*rig));
	snprintf(path, sizeof(path), "%s/alcor-test-XXXXXX", folder);
	rig->file.fd = mkstemp(path);
	rig->file.alignment = 1;
	rig->part.file = &rig->file;
	rig->part.request = &rig->request;
	memset(rig->memory, 0x77, sizeof(rig->memory));
	if (!CHECK(rig->file.fd >= 0))
		return false;
	unlink(path);
	for (int i = 0; i < 2; i++)
		if (!CHECK(write(rig->file.fd, rig->memory,
				 sizeof(rig->memory)) == sizeof(rig->memory)))
			return false;
	return true;
}

static enum part_state try(struct rig *rig, enum block_operation operation,
			   uint64_t length, bool eager)
{
	rig->iov = (struct iovec){rig->memory, length};
	rig->request.operation = operation;
	rig->part.cursor = cursor_make(&rig->iov, 1);
	rig->part.left = length;
	rig->part.host_offset = 4096;
	return prompt_try(&rig->prompt, &rig->part, eager);
}

/* On any file system, whatever it knows. */
static void does_what_the_page_cache_has(void)
{
	const char *folder = getenv("TMPDIR");
	struct rig rig;

	REQUIRE(rig_init(&rig, folder ? folder : "/tmp"));
	memset(rig.memory, 0, 4096);
	CHECK_EQUAL(try(&rig, BLOCK_READ, 4096, true), PART_ENDED);
	CHECK_EQUAL(rig.part.result, 0);
	CHECK_EQUAL(rig.memory[4095], 0x77);
	CHECK_EQUAL(try(&rig, BLOCK_WRITE, 4096, true), PART_ENDED);
	CHECK_EQUAL(rig.part.result, 0);
	close(rig.file.fd);
}

static void leaves_it_to_the_engine(void)
{
	struct rig rig;

	REQUIRE(rig_init(&rig, "/tmp"));
	atomic_store(&rig.file.nowait[0], FILE_NOWAIT_WORKS);
	CHECK_EQUAL(try(&rig, BLOCK_READ, 4096, false), PART_MORE);
	CHECK_EQUAL(rig.part.left, 4096);
	rig.file.alignment = 512;
	CHECK_EQUAL(try(&rig, BLOCK_READ, 4096, true), PART_MORE);
	CHECK_EQUAL(rig.part.left, 4096);
	close(rig.file.fd);
}

/* Without NOWAIT: small ones only, and none after one that was slow. */
static void is_wary_of_what_may_wait(void)
{
	struct rig rig;

	REQUIRE(rig_init(&rig, "/tmp"));
	atomic_store(&rig.file.nowait[1], FILE_NOWAIT_LACKS);
	CHECK_EQUAL(try(&rig, BLOCK_WRITE, 4096, false), PART_ENDED);
	CHECK_EQUAL(try(&rig, BLOCK_WRITE, 128 * KIB, false), PART_MORE);
	rig.prompt.pace.wary_until_nsec = clock_now_nsec() + 1000000000000;
	CHECK_EQUAL(try(&rig, BLOCK_WRITE, 4096, true), PART_MORE);
	CHECK_EQUAL(rig.part.left, 4096);
	rig.prompt.pace.wary_until_nsec = clock_now_nsec();
	CHECK_EQUAL(try(&rig, BLOCK_WRITE, 4096, true), PART_ENDED);
	close(rig.file.fd);
}

/* A call of 100 ms, as it seems. False: none was to be made. */
static bool call_slowly(struct pace *pace, bool sleeps)
{
	uint64_t start;

	if (!pace_begin(pace, 4096, &start))
		return false;
	if (sleeps)
		usleep(1);
	pace_end(pace, start - 100000000);
	return true;
}

/* The longer one slept, the longer nothing like it is tried. */
static void a_sleep_is_followed_by_a_pause(void)
{
	struct pace pace = {0};
	uint64_t start;

	CHECK(call_slowly(&pace, true));
	CHECK(call_slowly(&pace, true));
	CHECK(!pace_begin(&pace, 4096, &start));
	CHECK(pace.wary_until_nsec > start + 200000000);
	CHECK(pace.wary_until_nsec < start + 2000000000);
	CHECK(!pace_begin(&pace, 1 * MIB, &start));
}

/* Others had the CPU, or the thread slept before it. */
static void a_call_without_a_sleep_may_take_long(void)
{
	struct pace pace = {0};

	for (int i = 0; i < 3; i++)
		CHECK(call_slowly(&pace, false));
	usleep(1);
	pace_slept(&pace);
	CHECK(call_slowly(&pace, false));
	CHECK(call_slowly(&pace, true));
	CHECK(!call_slowly(&pace, false));
}

/* A try is left out for each miss before, and hits make it bold again. */
static void backs_off(void)
{
	struct rig rig;

	REQUIRE(rig_init(&rig, "/tmp"));
	if (try(&rig, BLOCK_READ, 4096, true) != PART_ENDED ||
	    atomic_load(&rig.file.nowait[0]) != FILE_NOWAIT_WORKS) {
		close(rig.file.fd);
		TEST_SKIP("no NOWAIT in /tmp");
	}
	rig.prompt = (struct prompt){.backoff = 3, .skip = 3};
	for (int i = 0; i < 3; i++)
		CHECK_EQUAL(try(&rig, BLOCK_READ, 4096, true), PART_MORE);
	CHECK_EQUAL(try(&rig, BLOCK_READ, 4096, true), PART_ENDED);
	CHECK_EQUAL(rig.prompt.backoff, 0);
	CHECK_EQUAL(try(&rig, BLOCK_READ, 4096, true), PART_ENDED);
	close(rig.file.fd);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(does_what_the_page_cache_has),
		TEST(leaves_it_to_the_engine),
		TEST(is_wary_of_what_may_wait),
		TEST(a_sleep_is_followed_by_a_pause),
		TEST(a_call_without_a_sleep_may_take_long),
		TEST(backs_off),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}
