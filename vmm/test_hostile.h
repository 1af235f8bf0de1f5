/*
 * vmm/test_hostile.h - for tests: images made to do harm, and the program that
 * has to deal with them: what it says, what it costs, which files it opens.
 *
 * The test runs in TOP/images, which has the image and files that it may name;
 * TOP/secret is a file that must stay closed.
 */
#ifndef VMM_TEST_HOSTILE_H
#define VMM_TEST_HOSTILE_H

#include <errno.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "block/qcow2_compress.h"
#include "block/test_disk.h"
#include "block/test_host.h"

/* --- Images --------------------------------------------------------------- */

/* Bytes of the image that lie: a number, big endian. */
struct hostile_patch {
	uint64_t offset;
	unsigned int width;
	uint64_t value;
};

static inline void hostile_put(struct file *file, uint64_t offset,
			       unsigned int width, uint64_t value)
{
	uint8_t bytes[8];

	for (unsigned int i = 0; i < width; i++)
		bytes[i] = (uint8_t)(value >> 8 * (width - 1 - i));
	CHECK(!file_write(file, bytes, width, offset));
}

/*
 * 1 MiB with clusters of 4 KiB: header, refcount table at 0x1000, refcount
 * block at 0x2000, L1 table at 0x3000, L2 table at 0x4000 and guest clusters 0
 * and 1 at 0x5000 and 0x6000.
 */
static inline struct file *hostile_image(void)
{
	struct qcow2_create_options create = TEST_CREATE(MIB, 12, 3, 4, 0);
	struct file *file = test_image_new(&create);
	uint8_t data[8192];

	test_fill(data, sizeof(data) / BLOCK_SECTOR, 7);
	file_write(file, data, sizeof(data), 0x5000);
	hostile_put(file, 0x3000, 8, QCOW2_COPIED | 0x4000);
	hostile_put(file, 0x4000, 8, QCOW2_COPIED | 0x5000);
	hostile_put(file, 0x4008, 8, QCOW2_COPIED | 0x6000);
	for (uint64_t i = 4; i <= 6; i++)
		hostile_put(file, 0x2000 + 2 * i, 2, 1);
	return file;
}

/* An open file of the host, to be written where it is not to be a hole. */
static inline struct file *hostile_file(const char *path, uint64_t size)
{
	struct file_options options = {.no_lock = true};
	struct file *file = NULL;
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK(fd >= 0 && !ftruncate(fd, (off_t)size));
	close(fd);
	CHECK(!file_open(path, &options, &file, NULL));
	return file;
}

/* --- The program ---------------------------------------------------------- */

/* What became of a command. */
struct hostile_end {
	int status;
	double seconds; /* of CPU time */
	uint64_t memory;
	char output[4096]; /* the front of what it said */
};

static char hostile_program[4096];

/* Beside the test, as the Makefile has put them; before the folder changes. */
static inline void hostile_find_program(void)
{
	ssize_t length = readlink("/proc/self/exe", hostile_program,
				  sizeof(hostile_program) - 16);

	hostile_program[length > 0 ? length : 0] = '\0';
	for (int i = 0; i < 2 && strrchr(hostile_program, '/'); i++)
		*strrchr(hostile_program, '/') = '\0';
	strcat(hostile_program, "/alcor");
}

/* Emulated or watched by a sanitizer, a program costs more. */
static inline bool hostile_costs_count(void)
{
#ifdef __SANITIZE_ADDRESS__
	return false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
	return false;
#endif
#endif
	return !getenv("ALCOR_TEST_RUNNER");
}

/* A machine asks for it before it opens a disk. */
static inline bool hostile_has_kvm(void)
{
	int fd = getenv("ALCOR_TEST_RUNNER")
			 ? -1
			 : open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static inline void hostile_child(const char *arguments)
{
	const char *runner = getenv("ALCOR_TEST_RUNNER");
	struct rlimit limit = {60, 60};
	char command[8192];
	int out = open("../output", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	int in = open("/dev/null", O_RDONLY);

	snprintf(command, sizeof(command), "exec %s %s %s",
		 runner ? runner : "", hostile_program, arguments);
	setrlimit(RLIMIT_CPU, &limit);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(125);
}

static inline void hostile_read_output(struct hostile_end *end)
{
	int fd = open("../output", O_RDONLY);
	ssize_t length = read(fd, end->output, sizeof(end->output) - 1);

	end->output[length > 0 ? length : 0] = '\0';
	close(fd);
}

/* Runs "alcor ARGUMENTS". */
static inline struct hostile_end hostile_run(const char *arguments)
{
	struct hostile_end end = {.status = -1};
	struct rusage usage;
	int status = 0;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (!child)
		hostile_child(arguments);
	CHECK_EQUAL(wait4(child, &status, 0, &usage), child);
	if (WIFEXITED(status))
		end.status = WEXITSTATUS(status);
	end.seconds =
		(double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		(double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	end.memory = (uint64_t)usage.ru_maxrss * KIB;
	hostile_read_output(&end);
	return end;
}

/* --- Who opens what ------------------------------------------------------- */

/* A watch over both folders. */
static inline int hostile_watch(void)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	CHECK(fd >= 0);
	CHECK(inotify_add_watch(fd, ".", IN_OPEN) >= 0);
	CHECK(inotify_add_watch(fd, "..", IN_OPEN) >= 0);
	return fd;
}

static inline bool is_word_of(const char *word, const char *words)
{
	const char *at = strstr(words, word);
	size_t length = strlen(word);

	return at && (at == words || at[-1] == ' ') &&
	       (!at[length] || at[length] == ' ');
}

/* Was nothing opened but what is in a list of names, with blanks between? */
static inline bool hostile_opened_only(int watch, const char *names)
{
	_Alignas(struct inotify_event) char events[16384];
	const struct inotify_event *event;
	bool only = true;
	ssize_t length;

	while ((length = read(watch, events, sizeof(events))) > 0)
		for (char *at = events; at < events + length;
		     at += sizeof(*event) + event->len) {
			event = (const struct inotify_event *)at;
			if (!event->len || event->mask & IN_ISDIR ||
			    is_word_of(event->name, names))
				continue;
			printf("# %s was opened\n", event->name);
			only = false;
		}
	return only;
}

/* --- What is expected ----------------------------------------------------- */

/* Claims that are believed cost minutes; half a second was the most seen. */
#define HOSTILE_SECONDS_MAX 4.0
#define HOSTILE_MEMORY_MAX  (64 * MIB)

enum hostile_command {
	HOSTILE_RUN,
	HOSTILE_INFO,
	HOSTILE_CHECK,
	HOSTILE_CONVERT,
	HOSTILE_COMMANDS,
};

static const char *const hostile_lines[] = {
	[HOSTILE_RUN] = "run image",
	[HOSTILE_INFO] = "img info image",
	[HOSTILE_CHECK] = "img check image",
	[HOSTILE_CONVERT] = "img convert -O raw image out",
};

struct hostile_expected {
	int status;
	const char *sentence; /* a piece of what is said */
};

struct hostile {
	const char *class, *what;
	void (*make)(void); /* NULL: the plain image, with lies */
	struct hostile_patch lies[2];
	struct hostile_expected expected[HOSTILE_COMMANDS];
	const char *may_open; /* beside the image and what is made of it */
};

static inline void hostile_make(const struct hostile *hostile)
{
	struct file *file;

	unlink("image");
	unlink("out");
	if (hostile->make) {
		hostile->make();
		return;
	}
	file = hostile_image();
	for (size_t i = 0; i < ARRAY_LENGTH(hostile->lies); i++)
		if (hostile->lies[i].width)
			hostile_put(file, hostile->lies[i].offset,
				    hostile->lies[i].width,
				    hostile->lies[i].value);
	CHECK(test_file_save(file, "image"));
	file_close(file);
}

static inline void hostile_check_cost(const struct hostile_end *end)
{
	if (!hostile_costs_count())
		return;
	if (!CHECK(end->seconds < HOSTILE_SECONDS_MAX))
		printf("# %.2f s\n", end->seconds);
	if (!CHECK(end->memory < HOSTILE_MEMORY_MAX))
		printf("# %llu bytes\n", (unsigned long long)end->memory);
}

static inline void hostile_judge(const struct hostile_end *end,
				 const struct hostile_expected *expected)
{
	CHECK_EQUAL(end->status, expected->status);
	if (!CHECK(strstr(end->output, expected->sentence)))
		printf("# said: %.300s\n", end->output);
	hostile_check_cost(end);
}

/* An image that is not opened is not written. */
static inline void hostile_try(const struct hostile *hostile,
			       enum hostile_command command)
{
	bool failed_before = test_failed;
	struct hostile_end end;
	char names[256];
	int watch;

	test_failed = false;
	hostile_make(hostile);
	snprintf(names, sizeof(names), "image out output %s",
		 hostile->may_open ? hostile->may_open : "");
	watch = hostile_watch();
	end = hostile_run(hostile_lines[command]);
	CHECK(hostile_opened_only(watch, names));
	close(watch);
	hostile_judge(&end, &hostile->expected[command]);
	if (test_failed)
		printf("# %s: %s: alcor %s\n", hostile->class, hostile->what,
		       hostile_lines[command]);
	test_failed |= failed_before;
}

static inline void hostile_try_all(const struct hostile *images, size_t count)
{
	unsigned int first = hostile_has_kvm() ? HOSTILE_RUN : HOSTILE_RUN + 1;
	size_t step = test_is_small() ? 8 : 1;

	for (size_t i = 0; i < count; i += step)
		for (unsigned int j = first; j < HOSTILE_COMMANDS; j++)
			hostile_try(&images[i], j);
	if (first != HOSTILE_RUN)
		printf("# without KVM, nothing was run\n");
}

/* In TOP/images; see above. */
static inline int hostile_main(int argc, char **argv, const struct test *tests,
			       size_t count)
{
	char folder[256];
	int ret = 1;

	hostile_find_program();
	if (!access("/dev/shm", W_OK))
		setenv("TMPDIR", "/dev/shm", 0);
	if (!test_folder_enter(folder, sizeof(folder)))
		return 1;
	if (!test_shell("head -c 1M /dev/urandom >secret && mkdir images && "
			"cd images && cp ../secret near && mkdir folder && "
			"mkfifo fifo && ln -s ../secret link") &&
	    !chdir("images"))
		ret = test_main(argc, argv, tests, count);
	test_folder_leave(folder);
	return ret;
}

#endif
