/* bench/tools/walk.c - see walk.h. */
#include "walk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_SIZE 4096

_Noreturn void walk_fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t parse_size(const char *text)
{
	char *end;
	uint64_t size = strtoull(text, &end, 10);

	switch (*end) {
	case 'G':
		size *= 1024; /* fall through */
	case 'M':
		size *= 1024; /* fall through */
	case 'k':
		size *= 1024;
	}
	return size;
}

/* A file's, or a block device's. */
static uint64_t size_of(int fd)
{
	struct stat stat;
	uint64_t size;

	if (fstat(fd, &stat))
		walk_fail("fstat");
	if (!S_ISBLK(stat.st_mode))
		return (uint64_t)stat.st_size;
	if (ioctl(fd, BLKGETSIZE64, &size))
		walk_fail("BLKGETSIZE64");
	return size;
}

void walk_init(struct walk *walk, int argc, char **argv)
{
	int option, flags = O_CLOEXEC;

	*walk = (struct walk){
		.copy_fd = -1,
		.count = 75000,
		.depth = 1,
		.size = 4096,
	};
	while ((option = getopt(argc, argv, "c:d:s:S:F:C:wD")) != -1) {
		switch (option) {
		case 'c':
			walk->count = parse_size(optarg);
			break;
		case 'd':
			walk->depth = parse_size(optarg);
			break;
		case 's':
			walk->size = parse_size(optarg);
			break;
		case 'S':
			walk->step = parse_size(optarg);
			break;
		case 'F':
			walk->flush_interval = parse_size(optarg);
			break;
		case 'C':
			walk->copy_fd = open(optarg, O_RDONLY | O_CLOEXEC);
			if (walk->copy_fd < 0)
				walk_fail(optarg);
			break;
		case 'w':
			walk->write = true;
			break;
		case 'D':
			flags |= O_DIRECT;
			break;
		default:
			exit(2);
		}
	}
	if (optind != argc - 1) {
		fprintf(stderr, "%s: one file\n", argv[0]);
		exit(2);
	}
	walk->step = walk->step ? walk->step : walk->size;
	walk->fd = open(argv[optind],
			(walk->write ? O_RDWR : O_RDONLY) | flags);
	if (walk->fd < 0)
		walk_fail(argv[optind]);
	walk->file_size = size_of(walk->fd);
	if (walk->file_size < walk->size) {
		fprintf(stderr, "%s: too small\n", argv[optind]);
		exit(1);
	}
}

void *walk_buffers(const struct walk *walk, uint64_t requests)
{
	uint64_t bytes = requests * walk->size;
	void *buffers = aligned_alloc(PAGE_SIZE,
				      (bytes + PAGE_SIZE - 1) & -PAGE_SIZE);

	if (!buffers)
		walk_fail("buffers");
	memset(buffers, 0xa5, bytes);
	return buffers;
}
