/*
 * block/qcow2_differential_test.c - random images, QEMU and us in turns.
 *
 * An image of random layout is made, by qemu-img or by us, and changed by a
 * random script for qemu-img and qemu-io (test_script.h); "qemu-img convert"
 * says what its disk and its snapshots hold, and we must read that. Then we
 * change it, with writes and with commands of our own; qemu-img must find no
 * error, the disk that we expect, and each snapshot as it was. Then QEMU goes
 * on with it, then we do.
 *
 * ALCOR_TEST_IMAGES says how many, ALCOR_TEST_SEED which is the first, and
 * ALCOR_TEST_JOBS in how many processes, else one for each CPU. An image
 * depends on its seed alone.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/stat.h>

#include "block/img.h"
#include "block/test_qemu.h"
#include "block/test_script.h"

#define FAILURES_MAX 5 /* then a process gives up */
#define WRITERS	     3

struct writer {
	struct test_qemu_image image;
	struct test_disk *disk; /* owned; the part that it writes to */
	pthread_t thread;
};

static struct test_qemu_image image_of(const struct test_subject *subject)
{
	const struct test_layout *layout = &subject->layout;

	return (struct test_qemu_image){
		.path = "image",
		.data_file = layout->data_file ? "data" : NULL,
		.compress = layout->data_file ? 0 : layout->cluster_size,
		.compression = layout->zstd ? QCOW2_ZSTD : QCOW2_DEFLATE,
	};
}

/* --- What QEMU says ------------------------------------------------------- */

/* The file that qemu-img convert made, into test_oracle; bytes. */
static uint64_t read_oracle(const char *name)
{
	FILE *file = fopen(name, "r");
	uint64_t length;

	if (!CHECK(file))
		return 0;
	length = fread(test_oracle, 1, sizeof(test_oracle), file);
	fclose(file);
	return length;
}

/* QEMU reads a snapshot as if it had the size that the disk has now. */
static void load(const char *name, uint64_t size,
		 struct test_contents *contents)
{
	CHECK_EQUAL(read_oracle(name), size);
	contents->known = min_u64(size, contents->size);
	memcpy(contents->data, test_oracle, contents->known);
}

/* What test_script_ask() asks for. */
static void load_unknown(struct test_subject *subject)
{
	uint64_t size = subject->disk->size;
	struct test_snapshot *snapshot;

	load("disk", size, subject->disk);
	for (unsigned int i = 0; i < subject->snapshot_count; i++) {
		snapshot = &subject->snapshots[i];
		if (!snapshot->contents->known)
			load(snapshot->name, size, snapshot->contents);
	}
}

static void compare(const char *name, uint64_t size,
		    const struct test_contents *contents)
{
	CHECK_EQUAL(read_oracle(name), size);
	CHECK(!memcmp(contents->data, test_oracle,
		      min_u64(size, contents->known)));
}

static void write_expected(const struct test_contents *contents)
{
	FILE *file = fopen("expected", "w");

	REQUIRE(file);
	CHECK_EQUAL(fwrite(contents->data, 1, contents->size, file),
		    contents->size);
	CHECK(!fclose(file));
}

/* QEMU finds what is expected. */
static void judge(struct test_subject *subject)
{
	uint64_t size = subject->disk->size;

	write_expected(subject->disk);
	test_script_begin(subject);
	test_script_compare(subject);
	CHECK(test_script_end(subject));
	for (unsigned int i = 0; i < subject->snapshot_count && !test_failed;
	     i++)
		compare(subject->snapshots[i].name, size,
			subject->snapshots[i].contents);
}

/* --- Our turn ------------------------------------------------------------- */

/* What we read is what is known of it; then all of it is known. */
static void read_one(struct test_subject *subject, const char *snapshot_id,
		     struct test_contents *contents)
{
	struct test_qemu_image image = image_of(subject);
	struct test_disk *disk;

	image.snapshot_id = snapshot_id;
	disk = test_qemu_open(&image, true, test_random(&subject->random));
	REQUIRE(disk);
	CHECK_EQUAL(disk->sectors * BLOCK_SECTOR, contents->size);
	CHECK_EQUAL(test_disk_read(disk, 0, disk->sectors), 0);
	memcpy(contents->data + contents->known, disk->buffer + contents->known,
	       contents->size - contents->known);
	contents->known = contents->size;
	test_qemu_compare_with(disk, contents->data, disk->sectors);
	block_close(disk->block);
	free(disk);
}

static void read_all(struct test_subject *subject)
{
	read_one(subject, NULL, subject->disk);
	for (unsigned int i = 0; i < subject->snapshot_count && !test_failed;
	     i++)
		read_one(subject, subject->snapshots[i].name,
			 subject->snapshots[i].contents);
}

static void resize_open(struct test_subject *subject, struct test_disk *disk)
{
	uint64_t size = test_layout_size(&subject->random, &subject->layout);
	uint64_t sectors = size / BLOCK_SECTOR;
	struct err err = {""};

	fprintf(subject->history, "# our disk becomes %llu\n",
		(unsigned long long)size);
	if (!CHECK(!block_resize(disk->block, size, &err)))
		printf("# %s\n", err.text);
	for (uint64_t i = disk->sectors; i < sectors; i++)
		disk->value[i] = 0;
	disk->sectors = sectors;
}

static void expect(struct test_contents *contents, const struct test_disk *disk)
{
	contents->size = disk->sectors * BLOCK_SECTOR;
	contents->known = contents->size;
	for (uint64_t i = 0; i < disk->sectors; i++)
		test_fill(contents->data + i * BLOCK_SECTOR, 1, disk->value[i]);
}

static void *run_writer(void *context)
{
	const struct writer *writer = context;

	test_qemu_write_randomly(&writer->image, writer->disk, 10);
	return NULL;
}

/* Each in a part of the disk that ends anywhere in a cluster. */
static void write_side_by_side(const struct test_qemu_image *image,
			       struct test_disk *disk)
{
	struct writer writers[WRITERS];
	struct test_disk *part;
	uint64_t sectors = disk->sectors / WRITERS;

	for (unsigned int i = 0; i < WRITERS; i++) {
		part = calloc(1, sizeof(*part));
		part->block = disk->block;
		part->first = i * sectors;
		part->sectors = sectors;
		part->random.state = test_random(&disk->random);
		part->next_value = part->random.state << 16;
		memcpy(part->value, disk->value, sizeof(part->value));
		writers[i] = (struct writer){.image = *image, .disk = part};
		CHECK(!pthread_create(&writers[i].thread, NULL, run_writer,
				      &writers[i]));
	}
	for (unsigned int i = 0; i < WRITERS; i++) {
		pthread_join(writers[i].thread, NULL);
		part = writers[i].disk;
		memcpy(disk->value + part->first, part->value + part->first,
		       sectors * sizeof(*part->value));
		free(part);
	}
}

static void write_open(struct test_subject *subject, struct test_disk *disk)
{
	struct test_qemu_image image = image_of(subject);
	bool side_by_side = test_below(&subject->random, 2);

	fprintf(subject->history, "# we write%s\n",
		side_by_side ? ", several at a time" : "");
	if (side_by_side)
		write_side_by_side(&image, disk);
	else
		test_qemu_write_randomly(&image, disk, 20);
}

static void write_ours(struct test_subject *subject)
{
	struct test_qemu_image image = image_of(subject);
	struct test_disk *disk;

	disk = test_qemu_open(&image, false, test_random(&subject->random));
	REQUIRE(disk);
	test_qemu_learn(disk);
	write_open(subject, disk);
	if (test_subject_can_resize(subject) &&
	    !test_below(&subject->random, 3))
		resize_open(subject, disk);
	write_open(subject, disk);
	test_disk_compare(disk, 0, disk->sectors);
	CHECK_EQUAL(block_close(disk->block), 0);
	expect(subject->disk, disk);
	free(disk);
}

/* One of our commands, in this process; '' is an empty word. */
static void run_ours(struct test_subject *subject, char *command)
{
	char *words[16], *rest = NULL;
	int count = 0;

	fprintf(subject->history, "alcor img %s\n", command);
	words[count++] = strtok_r(command, " ", &rest);
	if (subject->layout.data_file && *words[0] == 'r') {
		words[count++] = "--data-file";
		words[count++] = "data";
	}
	for (char *word; (word = strtok_r(NULL, " ", &rest)); count++)
		words[count] = strcmp(word, "''") ? word : word + 2;
	words[count] = NULL;
	CHECK_EQUAL(img_command(count, words), 0);
}

static void create_ours(struct test_subject *subject)
{
	char command[TEST_COMMAND_ROOM];

	test_layout_create(&subject->layout, command);
	run_ours(subject, command);
}

static void step(struct test_subject *subject)
{
	char command[TEST_COMMAND_ROOM];

	if (test_below(&subject->random, 2)) {
		write_ours(subject);
	} else if (test_subject_command(subject, command)) {
		run_ours(subject, command);
		read_all(subject);
	}
}

static void take_turn(struct test_subject *subject)
{
	unsigned int count = 1 + (unsigned int)test_below(&subject->random, 4);

	read_all(subject);
	for (unsigned int i = 0; i < count && !test_failed; i++)
		step(subject);
	if (!test_failed)
		judge(subject);
}

/* --- Images --------------------------------------------------------------- */

static void tell(void)
{
	fflush(stdout);
	if (system("(cat history; tail -n 4 output) | sed 's/^/# /'"))
		printf("# (unknown)\n");
}

static void run_image(uint64_t seed)
{
	struct test_subject subject;
	bool is_ours;

	unlink("image");
	unlink("data");
	test_subject_init(&subject, seed);
	is_ours = test_below(&subject.random, 2);
	if (is_ours)
		create_ours(&subject);
	for (unsigned int turn = 0; turn < 2 && !test_failed; turn++) {
		if (CHECK(test_script_run(&subject, !turn && !is_ours))) {
			load_unknown(&subject);
			take_turn(&subject);
		}
	}
	test_subject_fini(&subject);
	if (test_failed)
		tell();
}

/* Every @step-th image, in a folder of its own; how many went wrong. */
static unsigned int run_share(uint64_t first, uint64_t end, unsigned int step)
{
	unsigned int failures = 0;
	char folder[24];

	snprintf(folder, sizeof(folder), "%llu", (unsigned long long)first);
	if (!CHECK(!mkdir(folder, 0700) && !chdir(folder)) ||
	    !CHECK(test_layout_make_backing()))
		return 1;
	for (uint64_t seed = first; seed < end && failures < FAILURES_MAX;
	     seed += step) {
		test_failed = false;
		run_image(seed);
		failures += test_failed;
	}
	return failures;
}

static unsigned int cpu_count(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set)
		       ? 1
		       : (unsigned int)CPU_COUNT(&set);
}

static void random_images_go_back_and_forth(void)
{
	unsigned long count = test_number("ALCOR_TEST_IMAGES",
					  test_is_small() ? 20 : 6);
	unsigned long first = test_number("ALCOR_TEST_SEED", 1);
	unsigned int jobs = (unsigned int)test_number("ALCOR_TEST_JOBS",
						      cpu_count());
	int status, child;

	if (!test_have_qemu())
		TEST_SKIP("qemu-img and qemu-io are not installed");
	fflush(stdout);
	for (unsigned int i = 0; i < jobs; i++) {
		child = fork();
		if (!child)
			_exit(!!run_share(first + i, first + count, jobs));
		CHECK(child > 0);
	}
	while (wait(&status) > 0)
		CHECK(WIFEXITED(status) && !WEXITSTATUS(status));
	printf("# %lu images, the first has seed %lu\n", count, first);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(random_images_go_back_and_forth),
	};

	return test_main_in_folder(argc, argv, tests, ARRAY_LENGTH(tests));
}
