/*
 * block/qcow2_kill_test.c - kill -9 in the middle of everything.
 *
 * A child writes to an image through block.h, and tells through a pipe what it
 * begins, and what has ended. It is killed at a random time. What the kernel
 * was given is kept, so after that the image holds every write that had ended
 * before the last flush; qemu-img check finds no errors, at most leaks. The
 * next child goes on with the same image.
 *
 * ALCOR_TEST_KILLS says how often, ALCOR_TEST_SEED where the random numbers
 * begin.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "block/test_disk.h"
#include "block/test_host.h"

/* What the child tells: an operation that begins, or one that has ended. */
struct message {
	bool ended;
	struct test_op op;
};

/* A number of sector values, each of which a sector may hold. */
#define CANDIDATES 64

struct candidates {
	uint64_t values[CANDIDATES];
	unsigned int count;
	bool discarded; /* last: then it may still hold what it held */
};

static const char *const shapes[] = {
	"cluster_size=512",
	"cluster_size=4k,refcount_bits=1",
	"cluster_size=64k",
	"cluster_size=16k,extended_l2=on",
	"cluster_size=2M,refcount_bits=64",
};

static struct candidates *sectors;
static uint64_t sector_count;

static struct test_disk *open_disk(bool read_only, uint64_t seed)
{
	struct block_options options = {
		.path = "image",
		.read_only = read_only,
		.l2_cache_size = 1,
	};
	struct test_disk *disk = calloc(1, sizeof(*disk));
	struct err err = {""};

	if (!CHECK(!block_open(&options, &disk->block, &err))) {
		printf("# %s\n", err.text);
		free(disk);
		return NULL;
	}
	disk->sectors = block_size(disk->block) / BLOCK_SECTOR;
	disk->random.state = seed;
	disk->next_value = seed << 20;
	return disk;
}

/* Never returns: it is killed. */
static void run_child(int to, uint64_t seed)
{
	struct test_disk *disk = open_disk(false, seed);
	struct message message;

	if (!disk)
		_exit(1);
	for (;;) {
		message.ended = false;
		message.op = test_disk_choose(disk);
		message.op.count = min_u64(message.op.count, 100);
		if (write(to, &message, sizeof(message)) != sizeof(message))
			_exit(1);
		test_disk_run(disk, &message.op);
		message.ended = true;
		if (message.op.ret ||
		    write(to, &message, sizeof(message)) != sizeof(message))
			_exit(1);
	}
}

static void add_candidate(struct candidates *candidates, uint64_t value)
{
	if (candidates->count == CANDIDATES) /* then anything goes */
		return;
	candidates->values[candidates->count++] = value;
	candidates->discarded = false;
}

/* After a flush, a sector holds what was written to it last. */
static void note_flush(void)
{
	struct candidates *candidates;

	for (uint64_t i = 0; i < sector_count; i++) {
		candidates = &sectors[i];
		if (candidates->discarded || candidates->count == CANDIDATES)
			continue;
		candidates->values[0] =
			candidates->values[candidates->count - 1];
		candidates->count = 1;
	}
}

static void note(const struct message *message)
{
	const struct test_op *op = &message->op;

	if (op->action == TEST_FLUSH && message->ended)
		note_flush();
	if (op->action > TEST_DISCARD || message->ended)
		return;
	for (uint64_t i = op->first; i < op->first + op->count; i++) {
		add_candidate(&sectors[i], op->value);
		sectors[i].discarded = op->action == TEST_DISCARD;
	}
}

static bool is_candidate(const struct candidates *candidates, uint64_t value)
{
	if (candidates->count == CANDIDATES)
		return true;
	for (unsigned int i = 0; i < candidates->count; i++)
		if (candidates->values[i] == value)
			return true;
	return false;
}

/* What it holds is where the next child begins. */
static void compare_and_adopt(void)
{
	struct test_disk *disk = open_disk(true, 0);
	uint64_t value;

	REQUIRE(disk);
	CHECK_EQUAL(test_disk_read(disk, 0, disk->sectors), 0);
	for (uint64_t i = 0; i < disk->sectors && !test_failed; i++) {
		value = test_sector_value(disk->buffer + i * BLOCK_SECTOR);
		if (!CHECK(is_candidate(&sectors[i], value)))
			printf("# sector %llu holds %#llx\n",
			       (unsigned long long)i,
			       (unsigned long long)value);
		sectors[i].count = 0;
		add_candidate(&sectors[i], value);
	}
	block_close(disk->block);
	free(disk);
}

/* Lets a child run for a while, kills it, and notes what it said. */
static void kill_one(uint64_t seed, unsigned int microseconds)
{
	struct message message;
	int ends[2], status;
	pid_t child;

	REQUIRE(!pipe2(ends, O_CLOEXEC));
	/* Or a child that is not listened to would wait for its reader. */
	fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
	child = fork();
	if (!child)
		run_child(ends[1], seed);
	close(ends[1]);
	usleep(microseconds);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	CHECK(WIFSIGNALED(status));
	while (read(ends[0], &message, sizeof(message)) == sizeof(message))
		note(&message);
	close(ends[0]);
}

static void make_image(const char *shape)
{
	CHECK(!test_shell("rm -f image && qemu-img create -f qcow2 -o %s "
			  "image 4M",
			  shape));
	sector_count = 4 * MIB / BLOCK_SECTOR;
	sectors = calloc(sector_count, sizeof(*sectors));
	for (uint64_t i = 0; i < sector_count; i++)
		add_candidate(&sectors[i], 0);
}

static void kill_often(const char *shape, unsigned long kills, uint64_t seed)
{
	struct test_random random = {seed};
	int status;

	make_image(shape);
	for (unsigned long i = 0; i < kills && !test_failed; i++) {
		kill_one(seed + i + 1,
			 1000 + (unsigned int)test_below(&random, 30000));
		status = test_shell("qemu-img check image");
		if (!CHECK(status == 0 || status == 3))
			printf("# qemu-img check ends with %d\n", status);
		compare_and_adopt();
		if (test_failed)
			printf("# %s, ALCOR_TEST_SEED=%llu, kill %lu\n", shape,
			       (unsigned long long)seed, i);
	}
	free(sectors);
}

static void kills_lose_nothing(void)
{
	unsigned long kills = test_number("ALCOR_TEST_KILLS",
					  test_is_small() ? 5 : 20);
	uint64_t seed = test_number("ALCOR_TEST_SEED", 1);

	if (!test_have_qemu())
		TEST_SKIP("qemu-img and qemu-io are not installed");
	for (size_t i = 0; i < ARRAY_LENGTH(shapes) && !test_failed; i++)
		kill_often(shapes[i], div_round_up(kills, ARRAY_LENGTH(shapes)),
			   seed);
	printf("# killed %lu times, seed %llu\n", kills,
	       (unsigned long long)seed);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(kills_lose_nothing)};

	return test_main_in_folder(argc, argv, tests, ARRAY_LENGTH(tests));
}
