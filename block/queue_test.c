/* block/queue_test.c - requests to a disk, many at a time. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "base/iov.h"
#include "block/test_host.h"
#include "block/test_queue.h"
#include "block/test_recorder.h"

#define DISK_SIZE (64 * KIB)

static void for_each_variant(void (*run)(struct test_rig *rig))
{
	struct test_rig rig;

	for (size_t i = 0; i < ARRAY_LENGTH(test_variants); i++) {
		if (!test_rig_init(&rig, &test_variants[i], DISK_SIZE))
			continue;
		run(&rig);
		test_rig_fini(&rig);
	}
}

static bool is_as_at_first(const uint8_t *data, uint64_t offset, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (data[i] != test_byte(offset + i))
			return false;
	return true;
}

static void write_and_read(struct test_rig *rig)
{
	struct test_request write, flush;
	uint8_t out[1024], in[2048];

	memset(out, 0x5a, sizeof(out));
	test_submit(rig, &write, BLOCK_WRITE, 4096, out, sizeof(out));
	test_submit(rig, &flush, BLOCK_FLUSH, 0, NULL, 0);
	CHECK_EQUAL(write.ends, 0);
	CHECK_EQUAL(block_queue_in_flight(rig->queue), 2);
	test_finish(rig);
	CHECK_EQUAL(write.ends, 1);
	CHECK_EQUAL(write.result, 0);
	CHECK_EQUAL(flush.result, 0);
	CHECK(!test_do(rig, BLOCK_READ, 4096 - 512, in, sizeof(in)));
	CHECK(is_as_at_first(in, 4096 - 512, 512));
	CHECK(!memcmp(in + 512, out, sizeof(out)));
	CHECK(is_as_at_first(in + 1536, 4096 + 1024, 512));
}

static void reads_what_was_written(void)
{
	for_each_variant(write_and_read);
}

static void erase(struct test_rig *rig)
{
	uint8_t in[4096], zeroes[4096] = {0};

	CHECK(!test_do(rig, BLOCK_WRITE_ZEROES, 8192, NULL, 4096));
	CHECK(!test_do(rig, BLOCK_READ, 8192, in, 4096));
	CHECK(!memcmp(in, zeroes, 4096));
	CHECK(!test_do(rig, BLOCK_DISCARD, 16384, NULL, 4096));
	CHECK(!test_do(rig, BLOCK_READ, 20480, in, 4096));
	CHECK(is_as_at_first(in, 20480, 4096));
}

static void erases(void)
{
	for_each_variant(erase);
}

static void ask_for_too_much(struct test_rig *rig)
{
	uint8_t buffer[1024];

	CHECK_EQUAL(test_do(rig, BLOCK_READ, DISK_SIZE - 512, buffer, 1024),
		    -EINVAL);
	CHECK_EQUAL(test_do(rig, BLOCK_READ, 100, buffer, 512), -EINVAL);
	CHECK_EQUAL(test_do(rig, BLOCK_WRITE, DISK_SIZE, buffer, 512), -EINVAL);
	CHECK_EQUAL(test_do(rig, BLOCK_DISCARD, DISK_SIZE, NULL, 512), -EINVAL);
	CHECK_EQUAL(test_do(rig, BLOCK_READ, DISK_SIZE, buffer, 0), 0);
	CHECK_EQUAL(test_do(rig, BLOCK_READ, DISK_SIZE + 512, buffer, 0),
		    -EINVAL);
}

static void refuses_ranges_past_the_end(void)
{
	for_each_variant(ask_for_too_much);
}

/* More pieces than fit in one call of any kind, at odd places. */
static void scatter(struct test_rig *rig)
{
	static uint8_t memory[2 * DISK_SIZE];
	struct iovec iov[3000];
	struct test_request noted = {.result = 1};
	uint8_t *at = memory + 1;
	size_t left = DISK_SIZE;

	for (size_t i = 0; i < ARRAY_LENGTH(iov); i++) {
		iov[i].iov_base = at;
		iov[i].iov_len = i == ARRAY_LENGTH(iov) - 1 ? left : i % 40;
		at += iov[i].iov_len + i % 3;
		left -= iov[i].iov_len;
	}
	noted.request = (struct block_request){
		.operation = BLOCK_READ,
		.length = DISK_SIZE,
		.iov = iov,
		.iov_count = ARRAY_LENGTH(iov),
		.done = test_request_note,
	};
	block_queue_submit(rig->queue, &noted.request);
	test_finish(rig);
	CHECK_EQUAL(noted.result, 0);
	left = 0;
	for (size_t i = 0; i < ARRAY_LENGTH(iov); i++) {
		CHECK(is_as_at_first(iov[i].iov_base, left, iov[i].iov_len));
		left += iov[i].iov_len;
	}
}

static void reads_into_many_pieces(void)
{
	for_each_variant(scatter);
}

/* A request of 12 MiB: the same memory many times over. */
static void reads_more_than_goes_at_once(void)
{
	enum { TIMES = 3 };
	const uint64_t size = 4 * MIB * TIMES + 512;
	uint8_t *buffer = malloc(4 * MIB), last[512];
	struct test_request noted = {.result = 1};
	struct iovec iov[TIMES + 1];
	struct test_rig rig;

	for (int i = 0; i < TIMES; i++)
		iov[i] = (struct iovec){buffer, 4 * MIB};
	iov[TIMES] = (struct iovec){last, sizeof(last)};
	noted.request = (struct block_request){
		.operation = BLOCK_READ,
		.length = size,
		.iov = iov,
		.iov_count = TIMES + 1,
		.done = test_request_note,
	};
	for (size_t i = 0; i < ARRAY_LENGTH(test_variants); i++) {
		if (!test_rig_init(&rig, &test_variants[i], size))
			continue;
		block_queue_submit(rig.queue, &noted.request);
		test_finish(&rig);
		CHECK_EQUAL(noted.result, 0);
		CHECK(is_as_at_first(last, size - 512, sizeof(last)));
		CHECK(is_as_at_first(buffer, size - 512 - 4 * MIB, 4 * MIB));
		/* And given up on the way. */
		noted.result = 1;
		block_queue_submit(rig.queue, &noted.request);
		block_queue_run(rig.queue, false);
		test_rig_fini(&rig);
		CHECK_EQUAL(noted.result, -ECANCELED);
	}
	free(buffer);
}

static void give_up(struct test_rig *rig)
{
	struct test_request requests[40];
	uint8_t in[40][1024];
	struct test_request after;

	/* The first 30 are under way, or wait for those that are. */
	for (size_t i = 0; i < 40; i++) {
		test_submit(rig, &requests[i], BLOCK_READ, 1024 * i, in[i],
			    1024);
		if (i == 29)
			block_queue_run(rig->queue, false);
	}
	block_queue_cancel(rig->queue);
	test_submit(rig, &after, BLOCK_READ, 0, in[39], 1024);
	test_finish(rig);
	for (size_t i = 0; i < 40; i++) {
		CHECK_EQUAL(requests[i].ends, 1);
		CHECK(!requests[i].result || requests[i].result == -ECANCELED);
		if (!requests[i].result && i < 39)
			CHECK(is_as_at_first(in[i], 1024 * i, 1024));
		if (i >= 30)
			CHECK_EQUAL(requests[i].result, -ECANCELED);
	}
	CHECK_EQUAL(after.result, 0);
	CHECK(is_as_at_first(in[39], 0, 1024));
}

static void cancels(void)
{
	for_each_variant(give_up);
}

/* What is under way when a queue goes ends by then. */
static void ends_all_when_it_goes(void)
{
	struct test_request requests[30];
	uint8_t in[30][1024];
	struct test_rig rig;

	for (size_t i = 0; i < ARRAY_LENGTH(test_variants); i++) {
		if (!test_rig_init(&rig, &test_variants[i], DISK_SIZE))
			continue;
		for (size_t j = 0; j < 30; j++) {
			test_submit(&rig, &requests[j], BLOCK_READ, 1024 * j,
				    in[j], 1024);
			if (j == 20)
				block_queue_run(rig.queue, false);
		}
		test_rig_fini(&rig);
		for (size_t j = 0; j < 30; j++)
			CHECK_EQUAL(requests[j].ends, 1);
	}
}

static void *raise_later(void *argument)
{
	usleep(2000);
	fd_event_raise(*(int *)argument);
	return NULL;
}

static void be_woken(struct test_rig *rig)
{
	int fd = fd_event_new();
	pthread_t thread;
	uint8_t in[512];

	block_queue_watch(rig->queue, fd);
	block_queue_run(rig->queue, false);
	for (int i = 0; i < 3; i++) {
		fd_event_raise(fd);
		block_queue_run(rig->queue, true);
		CHECK(!pthread_create(&thread, NULL, raise_later, &fd));
		block_queue_run(rig->queue, true);
		CHECK(!pthread_join(thread, NULL));
		CHECK(!test_do(rig, BLOCK_READ, 0, in, sizeof(in)));
	}
	close(fd);
}

static void an_event_wakes(void)
{
	for_each_variant(be_woken);
}

/* A file that ends anywhere is a disk of whole sectors, filled with zeroes. */
static void what_lies_past_the_file_is_zeroes(void)
{
	const uint64_t size = 3 * 4096 + 700;
	uint8_t in[4096], zeroes[1024] = {0};
	struct test_rig rig;

	for (size_t i = 0; i < ARRAY_LENGTH(test_variants); i++) {
		if (!test_rig_init(&rig, &test_variants[i], size))
			continue;
		memset(in, 0xee, sizeof(in));
		CHECK(!test_do(&rig, BLOCK_READ, 3 * 4096, in, 1024));
		CHECK(is_as_at_first(in, 3 * 4096, 700));
		CHECK(!memcmp(in + 700, zeroes, 324));
		/* Written, and grown. */
		CHECK(!test_do(&rig, BLOCK_WRITE, 3 * 4096 + 512, in, 512));
		CHECK(!test_do(&rig, BLOCK_READ, 3 * 4096 + 512, in + 1024,
			       512));
		CHECK(!memcmp(in, in + 1024, 512));
		test_rig_fini(&rig);
	}
}

/* The file's errors are the request's; a failed flush stays failed. */
static void tells_errors(void)
{
	struct image_options options = {.name = "disk"};
	struct test_recorder *recorder;
	struct image *image;
	struct test_rig rig;
	uint8_t data[512] = {0};
	struct err err;

	recorder = test_recorder_new(test_variant_file(TEST_MEMORY, DISK_SIZE));
	REQUIRE(!raw_open(&recorder->file, &options, &image, &err));
	rig.block = block_new(image);
	REQUIRE(test_queue_new(&rig, BLOCK_ENGINE_AUTO));
	recorder->fails_reads = true;
	recorder->fail_end = ~0UL;
	recorder->fail_code = -ENOSPC;
	CHECK_EQUAL(test_do(&rig, BLOCK_WRITE, 0, data, 512), -ENOSPC);
	CHECK_EQUAL(test_do(&rig, BLOCK_READ, 0, data, 512), -ENOSPC);
	CHECK_EQUAL(test_do(&rig, BLOCK_FLUSH, 0, NULL, 0), -ENOSPC);
	recorder->fail_end = 0;
	CHECK_EQUAL(test_do(&rig, BLOCK_READ, 0, data, 512), 0);
	CHECK_EQUAL(test_do(&rig, BLOCK_WRITE, 0, data, 512), 0);
	CHECK_EQUAL(test_do(&rig, BLOCK_FLUSH, 0, NULL, 0), -ENOSPC);
	block_queue_free(rig.queue);
	CHECK_EQUAL(block_close(rig.block), -ENOSPC);
}

/* A disk that may be written, on a file that may not. */
static struct block *new_unwritable_disk(void)
{
	const struct file_options file_options = {.read_only = true};
	const struct image_options options = {.name = "disk"};
	struct image *image;
	struct file *file;

	if (!CHECK(!test_shell("truncate -s 64K unwritable.raw")) ||
	    !CHECK(!file_open("unwritable.raw", &file_options, &file, NULL)))
		return NULL;
	unlink("unwritable.raw");
	return CHECK(!raw_open(file, &options, &image, NULL)) ? block_new(image)
							      : NULL;
}

/* One at a time, and many, which may take another way. */
static void check_errors(struct test_rig *rig)
{
	struct test_request requests[10];
	uint8_t data[512] = {0};

	CHECK_EQUAL(test_do(rig, BLOCK_WRITE, 0, data, 512), -EBADF);
	for (size_t i = 0; i < 10; i++)
		test_submit(rig, &requests[i], BLOCK_WRITE, 512 * i, data, 512);
	test_finish(rig);
	for (size_t i = 0; i < 10; i++)
		CHECK_EQUAL(requests[i].result, -EBADF);
	CHECK_EQUAL(test_do(rig, BLOCK_READ, 0, data, 512), 0);
}

static void tells_the_host_s_errors(void)
{
	static const enum block_engine engines[] = {BLOCK_ENGINE_THREADS,
						    BLOCK_ENGINE_URING};
	struct test_rig rig;

	rig.block = new_unwritable_disk();
	REQUIRE(rig.block);
	for (size_t i = 0; i < ARRAY_LENGTH(engines); i++) {
		if (!test_queue_new(&rig, engines[i]))
			continue;
		check_errors(&rig);
		block_queue_free(rig.queue);
	}
	block_close(rig.block);
}

/* Buffers in memory that is registered, half in it, and elsewhere. */
static void uses_pinned_memory(void)
{
	static const struct test_variant variant = {"pinned",
						    BLOCK_ENGINE_URING,
						    TEST_DIRECT};
	uint8_t *memory = aligned_alloc(4096, 64 * KIB);
	struct iovec pinned = {memory, 32 * KIB};
	struct block_queue_options options = {
		.engine = BLOCK_ENGINE_AUTO,
		.pinned = &pinned,
		.pinned_count = 1,
	};
	struct test_rig rig;

	if (!test_rig_init(&rig, &variant, DISK_SIZE)) {
		free(memory);
		TEST_SKIP("no O_DIRECT or no io_uring here");
	}
	block_queue_free(rig.queue);
	CHECK(!block_queue_new(rig.block, &options, &rig.queue, NULL));
	for (uint64_t at = 0; at < 60 * KIB; at += 20 * KIB) {
		memset(memory, 0, 64 * KIB);
		CHECK(!test_do(&rig, BLOCK_READ, at, memory + at, 8192));
		CHECK(is_as_at_first(memory + at, at, 8192));
		CHECK(!test_do(&rig, BLOCK_WRITE, at, memory + at, 4096));
		CHECK(!test_do(&rig, BLOCK_READ, at, memory + at, 4096));
		CHECK(is_as_at_first(memory + at, at, 4096));
	}
	test_rig_fini(&rig);
	free(memory);
}

/* --- Who holds a file ----------------------------------------------------- */

static const struct block_options named_options = {
	.path = "named.raw",
	.format = BLOCK_RAW,
};

static bool use_named(struct test_rig *rig)
{
	uint8_t in[1024];
	struct err err;

	if (block_open(&named_options, &rig->block, &err)) {
		printf("# %s\n", err.text);
		return false;
	}
	return test_queue_new(rig, BLOCK_ENGINE_AUTO) &&
	       !test_do(rig, BLOCK_READ, 0, in, sizeof(in));
}

/* Killed while it is at work, as soon as it says so. */
static bool use_named_and_die(void)
{
	int ready[2], status;
	struct test_rig rig;
	char byte = 0;
	pid_t pid;

	if (pipe(ready))
		return false;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		byte = use_named(&rig) ? 1 : 2;
		status = write(ready[1], &byte, 1) == 1;
		for (;;)
			pause();
	}
	if (pid < 0 || read(ready[0], &byte, 1) != 1)
		return false;
	close(ready[0]);
	close(ready[1]);
	kill(pid, SIGKILL);
	return waitpid(pid, &status, 0) == pid && byte == 1;
}

/* The kernel takes a ring apart when the process is long gone. */
static void a_file_is_free_at_once(void)
{
	struct test_rig rig;

	REQUIRE(!test_shell("truncate -s 64K named.raw"));
	for (int i = 0; i < 20; i++) {
		if (!CHECK(use_named(&rig)))
			break;
		test_rig_fini(&rig);
		if (!CHECK(use_named_and_die()))
			break;
	}
	unlink("named.raw");
}

/* --- Where io_uring is forbidden ------------------------------------------ */

static int forbid_io_uring(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {ARRAY_LENGTH(code), code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) ? -errno
								    : 0;
}

static int use_without_io_uring(void)
{
	struct test_variant variant = {"forbidden", BLOCK_ENGINE_AUTO,
				       TEST_HOST};
	struct block_queue_options options = {.engine = BLOCK_ENGINE_URING};
	struct block_queue *queue;
	struct test_rig rig;
	struct err err;

	if (forbid_io_uring())
		return 77;
	if (!test_rig_init(&rig, &variant, DISK_SIZE))
		return 1;
	CHECK_TEXT(block_queue_engine(rig.queue), "threads");
	write_and_read(&rig);
	CHECK_EQUAL(block_queue_new(rig.block, &options, &queue, &err), -EPERM);
	CHECK(strstr(err.text, "forbidden"));
	test_rig_fini(&rig);
	return test_failed;
}

static void does_without_io_uring(void)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	REQUIRE(pid >= 0);
	if (!pid)
		_exit(use_without_io_uring());
	REQUIRE(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		TEST_SKIP("no seccomp filters here");
	CHECK_EQUAL(WEXITSTATUS(status), 0);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(reads_what_was_written),
		TEST(erases),
		TEST(refuses_ranges_past_the_end),
		TEST(reads_into_many_pieces),
		TEST(reads_more_than_goes_at_once),
		TEST(cancels),
		TEST(ends_all_when_it_goes),
		TEST(an_event_wakes),
		TEST(what_lies_past_the_file_is_zeroes),
		TEST(tells_errors),
		TEST(tells_the_host_s_errors),
		TEST(uses_pinned_memory),
		TEST(a_file_is_free_at_once),
		TEST(does_without_io_uring),
	};

	return test_main_on_disk(argc, argv, tests, ARRAY_LENGTH(tests));
}
