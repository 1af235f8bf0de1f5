/* block/img_io_file.c - what an open file is like; see img_io.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/math.h"
#include "block/img_command.h"
#include "block/img_info.h"
#include "block/img_io.h"
#include "block/img_size.h"
#include "block/img_status.h"

/* Where a VM's state would lie: behind what the disk's L2 tables can map. */
static uint64_t vm_state_offset(const struct img_info *info)
{
	uint64_t entry = info->qcow2.extended_l2 ? 16 : 8;
	uint64_t size = info->qcow2.cluster_size, covered = size / entry * size;

	return div_round_up(info->image->size, covered) * covered;
}

int io_info(struct io *io, int argc, char **argv)
{
	char cluster[IMG_SIZE_TEXT_MAX], state[IMG_SIZE_TEXT_MAX];
	struct img_info info;
	struct err err;
	double offset = 0;

	(void)argc;
	(void)argv;
	if (img_info_init(&info, &io->disk, &err)) {
		img_error("%s", err.text);
		return -EIO;
	}
	if (info.is_qcow2)
		offset = (double)vm_state_offset(&info);
	printf("format name: %s\ncluster size: %s\nvm state offset: %s\n",
	       info.is_qcow2 ? "qcow2" : "raw",
	       img_size_io_text((double)info.qcow2.cluster_size, cluster),
	       img_size_io_text(offset, state));
	if (info.is_qcow2)
		img_info_print_specific(&info);
	img_info_fini(&info);
	return 0;
}

int io_length(struct io *io, int argc, char **argv)
{
	char text[IMG_SIZE_TEXT_MAX];

	(void)argc;
	(void)argv;
	printf("%s\n", img_size_io_text((double)io->disk.size, text));
	return 0;
}

int io_truncate(struct io *io, int argc, char **argv)
{
	const char *mode = "off";
	uint64_t size;
	struct err err;
	int letter, ret;

	optind = 0;
	opterr = 1;
	while ((letter = getopt(argc, argv, "m:")) != -1) {
		if (letter != 'm')
			return io_usage(argv[0]);
		mode = optarg;
	}
	if (argc - optind != 1)
		return io_usage(argv[0]);
	ret = io_parse_size(argv[optind], &size);
	if (ret)
		return ret;
	if (strcmp(mode, "off")) {
		img_error("Invalid preallocation mode '%s'", mode);
		return -EINVAL;
	}
	io_wait_pending(io);
	ret = block_resize(io->disk.block, size, &err);
	if (ret)
		img_error("%s", err.text);
	io->disk.size = block_size(io->disk.block);
	return ret;
}

/* --- What is allocated in the image itself -------------------------------- */

/* The front of a range that is alike; *ret_length says how long it is. */
static int find_allocated(struct io *io, uint64_t offset, uint64_t length,
			  bool *ret_allocated, uint64_t *ret_length)
{
	struct img_status status;
	bool allocated;
	int ret;

	*ret_length = 0;
	while (length) {
		ret = img_status_get(&io->disk, offset, length, &status);
		if (ret) {
			img_error("Failed to get allocation status: %s",
				  strerror(-ret));
			return ret;
		}
		allocated = status.present && !status.depth;
		if (*ret_length && allocated != *ret_allocated)
			break;
		*ret_allocated = allocated;
		*ret_length += status.length;
		offset += status.length;
		length -= status.length;
	}
	return 0;
}

int io_map(struct io *io, int argc, char **argv)
{
	char length_text[IMG_SIZE_TEXT_MAX], offset_text[IMG_SIZE_TEXT_MAX];
	uint64_t offset = 0, length;
	bool allocated;
	int ret;

	(void)argc;
	(void)argv;
	for (; offset < io->disk.size; offset += length) {
		ret = find_allocated(io, offset, io->disk.size - offset,
				     &allocated, &length);
		if (ret)
			return ret;
		printf("%s (0x%" PRIx64 ") bytes %s allocated at offset %s "
		       "(0x%" PRIx64 ")\n",
		       img_size_io_text((double)length, length_text), length,
		       allocated ? "   " : "not",
		       img_size_io_text((double)offset, offset_text), offset);
	}
	return 0;
}

int io_alloc(struct io *io, int argc, char **argv)
{
	uint64_t start, count = BLOCK_SECTOR, offset, end, length, sum = 0;
	char text[IMG_SIZE_TEXT_MAX];
	bool allocated;
	int ret;

	ret = io_parse_size(argv[1], &start);
	if (!ret && argc == 3)
		ret = io_parse_size(argv[2], &count);
	if (ret)
		return ret;
	offset = min_u64(start, io->disk.size);
	end = offset + min_u64(count, io->disk.size - offset);
	count = end - offset;
	/* The tables' unit is a sector; the ends of the range need not be. */
	for (uint64_t at = align_down(offset, BLOCK_SECTOR); at < end;
	     at += length) {
		ret = find_allocated(io, at, align_up(end, BLOCK_SECTOR) - at,
				     &allocated, &length);
		if (ret)
			return ret;
		if (allocated)
			sum += min_u64(at + length, end) - max_u64(at, offset);
	}
	printf("%" PRIu64 "/%" PRIu64 " bytes allocated at offset %s\n", sum,
	       count, img_size_io_text((double)start, text));
	return 0;
}
