/* block/queue_host_test.c - a queue's dealings with the host. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "block/test_host.h"
#include "block/test_queue.h"

#define DISK_SIZE (64 * KIB)

/* A disk that may be written, on a file that may not. */
static struct block *new_unwritable_disk(bool direct)
{
	const struct file_options file_options = {.read_only = true,
						  .direct = direct};
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
	static _Alignas(4096) uint8_t data[4096];

	CHECK_EQUAL(test_do(rig, BLOCK_WRITE, 0, data, 4096), -EBADF);
	for (size_t i = 0; i < 10; i++)
		test_submit(rig, &requests[i], BLOCK_WRITE, 4096 * i, data,
			    4096);
	test_finish(rig);
	for (size_t i = 0; i < 10; i++)
		CHECK_EQUAL(requests[i].result, -EBADF);
	CHECK_EQUAL(test_do(rig, BLOCK_READ, 0, data, 4096), 0);
}

static void tells_the_host_s_errors(void)
{
	struct test_rig rig;

	for (size_t i = 0; i < ARRAY_LENGTH(test_variants); i++) {
		if (test_variants[i].file == TEST_MEMORY)
			continue;
		rig.block = new_unwritable_disk(test_variants[i].file ==
						TEST_DIRECT);
		if (rig.block &&
		    test_queue_new(&rig, test_variants[i].engine)) {
			check_errors(&rig);
			block_queue_free(rig.queue);
		}
		if (rig.block)
			block_close(rig.block);
	}
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
		CHECK(test_is_untouched(memory + at, at, 8192));
		CHECK(!test_do(&rig, BLOCK_WRITE, at, memory + at, 4096));
		CHECK(!test_do(&rig, BLOCK_READ, at, memory + at, 4096));
		CHECK(test_is_untouched(memory + at, at, 4096));
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

static void write_and_read(struct test_rig *rig)
{
	uint8_t out[1024], in[1024];

	memset(out, 0x5a, sizeof(out));
	CHECK(!test_do(rig, BLOCK_WRITE, 4096, out, sizeof(out)));
	CHECK(!test_do(rig, BLOCK_FLUSH, 0, NULL, 0));
	CHECK(!test_do(rig, BLOCK_READ, 4096, in, sizeof(in)));
	CHECK(!memcmp(in, out, sizeof(out)));
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
		TEST(tells_the_host_s_errors),
		TEST(uses_pinned_memory),
		TEST(a_file_is_free_at_once),
		TEST(does_without_io_uring),
	};

	return test_main_on_disk(argc, argv, tests, ARRAY_LENGTH(tests));
}
