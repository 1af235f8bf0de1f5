/*
 * block/qcow2_fuzz.c - for libFuzzer: images of any bytes, and what is done to
 * them. "make fuzz" runs it.
 *
 * An input is what shall be done, a script of requests, and the image. None may
 * end in a crash, a hang or a sanitizer's complaint. If the check finds nothing
 * wrong with the image, more is asked: what is written is read again, what is
 * around it stays, and the check finds nothing wrong in the end.
 *
 * The file is in memory and must not grow beyond a bound, as on a full disk.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/math.h"
#include "block/file_memory.h"
#include "block/qcow2.h"
#include "block/qcow2_amend.h"
#include "block/qcow2_check.h"
#include "block/qcow2_describe.h"
#include "block/qcow2_rebase.h"
#include "block/qcow2_snapshots.h"

/* --- A file that is bounded ----------------------------------------------- */

#define FILE_MAX (4 * MIB)

struct bounded {
	struct file file;
	struct file *below;
	struct file **keep; /* who gets below when it is closed; NULL: nobody */
};

static struct file *below(struct file *file)
{
	return ((struct bounded *)file)->below;
}

static int bounded_readv(struct file *file, struct iovec *iov, size_t count,
			 uint64_t offset)
{
	return below(file)->ops->readv(below(file), iov, count, offset);
}

static int bounded_writev(struct file *file, struct iovec *iov, size_t count,
			  uint64_t offset)
{
	uint64_t length = 0;

	for (size_t i = 0; i < count; i++)
		length += iov[i].iov_len;
	if (!range_fits(offset, length, FILE_MAX))
		return -ENOSPC;
	return file_writev(below(file), iov, count, offset);
}

static int bounded_flush(struct file *file)
{
	(void)file;
	return 0;
}

static int bounded_zero(struct file *file, uint64_t offset, uint64_t length,
			bool may_unmap)
{
	return file_zero(below(file), offset, length, may_unmap);
}

static int bounded_truncate(struct file *file, uint64_t size)
{
	return size > FILE_MAX ? -ENOSPC : file_truncate(below(file), size);
}

static void bounded_close(struct file *file)
{
	struct bounded *bounded = (struct bounded *)file;

	if (bounded->keep)
		*bounded->keep = bounded->below;
	else
		file_close(bounded->below);
	free(bounded);
}

/* Takes @below over. */
static struct file *make_file(struct file *file, struct file **keep)
{
	static const struct file_ops ops = {
		.readv = bounded_readv,
		.writev = bounded_writev,
		.flush = bounded_flush,
		.zero = bounded_zero,
		.truncate = bounded_truncate,
		.close = bounded_close,
	};
	struct bounded *bounded = calloc(1, sizeof(*bounded));

	file_init(&bounded->file, &ops, file_size(file));
	bounded->below = file;
	bounded->keep = keep;
	return &bounded->file;
}

/* --- Inputs --------------------------------------------------------------- */

enum what { READ, WRITE, REPAIR, SNAPSHOTS, RESIZE, EMPTY, REBASE, AMEND };

struct request {
	uint8_t action;
	uint8_t length;	   /* sectors, less one */
	uint8_t offset[2]; /* sectors */
};

#define REQUESTS_MAX 32

struct input {
	enum what what;
	struct request requests[REQUESTS_MAX];
	unsigned int request_count;
	const uint8_t *image;
	size_t image_size;
};

static bool parse(const uint8_t *data, size_t size, struct input *ret)
{
	size_t script;

	if (size < 2)
		return false;
	ret->what = data[0] % (AMEND + 1);
	ret->request_count = data[1] % (REQUESTS_MAX + 1);
	script = ret->request_count * sizeof(struct request);
	if (size - 2 < script || size - 2 - script > FILE_MAX / 2)
		return false;
	memcpy(ret->requests, data + 2, script);
	ret->image = data + 2 + script;
	ret->image_size = size - 2 - script;
	return true;
}

/* --- A disk and what it must hold ----------------------------------------- */

#define DISK_MAX (256 * KIB) /* larger ones are only looked into */

struct disk {
	struct image *image;
	uint64_t size; /* of which this much is looked at */
	bool known;    /* and must be what the model says */
	uint8_t model[DISK_MAX], buffer[DISK_MAX];
};

static void fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	abort();
}

static void read_all(struct disk *disk)
{
	int ret = image_read_padded(disk->image, 0, disk->size, disk->buffer);

	if (!disk->known)
		return;
	if (ret)
		fail("what was read cannot be read any more");
	if (memcmp(disk->buffer, disk->model, disk->size))
		fail("the disk holds something else");
}

static void write_some(struct disk *disk, uint64_t offset, uint64_t length,
		       uint8_t value)
{
	struct iovec iov = {disk->buffer, length};
	struct cursor from = cursor_make(&iov, 1);

	memset(disk->buffer, value, length);
	if (image_write(disk->image, offset, length, &from))
		disk->known = false;
	memset(disk->model + offset, value, length);
}

static void zero_some(struct disk *disk, uint64_t offset, uint64_t length,
		      bool may_unmap)
{
	if (disk->image->ops->write_zeroes(disk->image, offset, length,
					   may_unmap))
		disk->known = false;
	memset(disk->model + offset, 0, length);
}

/* Zeroes, or what was there. */
static void discard_some(struct disk *disk, uint64_t offset, uint64_t length)
{
	uint8_t *model = disk->model + offset;

	if (disk->image->ops->discard(disk->image, offset, length) ||
	    image_read_padded(disk->image, offset, length, disk->buffer)) {
		disk->known = false;
		return;
	}
	for (uint64_t i = 0; i < length; i++) {
		if (disk->known && disk->buffer[i] &&
		    disk->buffer[i] != model[i])
			fail("a discard left something else");
		model[i] = disk->buffer[i];
	}
}

static void run_request(struct disk *disk, const struct request *request,
			uint8_t value)
{
	uint64_t sectors = disk->size / BLOCK_SECTOR;
	uint64_t first = (uint64_t)request->offset[0] << 8 | request->offset[1];
	uint64_t offset = first % sectors * BLOCK_SECTOR;
	uint64_t length = min_u64((request->length + 1ULL) * BLOCK_SECTOR,
				  disk->size - offset);

	switch (request->action % 8) {
	case 3:
		zero_some(disk, offset, length, false);
		break;
	case 4:
		zero_some(disk, offset, length, true);
		break;
	case 5:
		discard_some(disk, offset, length);
		break;
	case 6:
		if (disk->image->ops->flush(disk->image))
			disk->known = false;
		break;
	case 7:
		read_all(disk);
		break;
	default:
		write_some(disk, offset, length, value);
	}
}

/* Does the check find nothing wrong but leaks? */
static bool is_sound(struct file *memory)
{
	struct qcow2_check_options options = {.name = "fuzz"};
	struct qcow2_check_result result;

	return !qcow2_check(memory, &options, &result, NULL) &&
	       !result.corruptions && !result.check_errors;
}

/* Takes @memory over; *keep gets it back when the image is closed, or now. */
static struct image *open_image(struct file *memory, bool read_only,
				struct file **keep)
{
	struct image_options options = {
		.name = "fuzz",
		.read_only = read_only,
	};
	struct file *file = make_file(memory, keep);
	struct image *image;

	if (!qcow2_open(file, &options, &image, NULL))
		return image;
	file_close(file);
	return NULL;
}

static void disk_init(struct disk *disk, struct image *image, bool sound)
{
	disk->image = image;
	disk->size = min_u64(image->size, DISK_MAX);
	disk->known = sound &&
		      !image_read_padded(image, 0, disk->size, disk->model);
}

/* --- What is done --------------------------------------------------------- */

static struct disk disk;

/* Everything that a reader may ask for. */
static void look(struct image *image)
{
	struct qcow2_description description;
	struct qcow2_snapshot *snapshots;
	struct qcow2_bitmap *bitmaps;
	struct extent extent;
	uint64_t at = 0;
	size_t count;

	image_read_padded(image, 0, min_u64(image->size, DISK_MAX),
			  disk.buffer);
	for (unsigned int i = 0; i < 1000 && at < image->size; i++) {
		if (image_find(image, at, image->size - at, &extent))
			break;
		at += extent.length;
	}
	qcow2_describe(image, &description);
	if (!qcow2_snapshots_read(image, &snapshots, &count))
		qcow2_snapshots_free(snapshots, count);
	if (!qcow2_bitmaps_read(image, &bitmaps, &count))
		qcow2_bitmaps_free(bitmaps, count);
}

static struct file *run_reader(struct file *memory)
{
	struct image *image = open_image(memory, true, &memory);

	if (!image)
		return memory;
	look(image);
	image_close(image);
	return memory;
}

static struct file *run_writer(struct file *memory, const struct input *input)
{
	bool sound = is_sound(memory), known = false;
	struct image *image = open_image(memory, false, &memory);

	if (!image)
		return memory;
	if (!image->ops->begin(image)) {
		disk_init(&disk, image, sound);
		for (unsigned int i = 0; i < input->request_count && disk.size;
		     i++)
			run_request(&disk, &input->requests[i],
				    (uint8_t)(i + 1));
		if (input->what == RESIZE &&
		    !image->ops->resize(image, 2 * disk.size, NULL))
			image->ops->resize(image,
					   disk.size / 3 / BLOCK_SECTOR *
						   BLOCK_SECTOR,
					   NULL);
		if (input->what == EMPTY)
			image->ops->empty(image, NULL);
		disk.known &= input->what == WRITE;
		read_all(&disk);
		known = disk.known;
	}
	if (image_close(image))
		known = false;
	if (sound && !is_sound(memory))
		fail("a sound image has become wrong");
	if (!known)
		return memory;
	disk.image = open_image(memory, true, &memory);
	if (!disk.image)
		fail("a sound image cannot be opened any more");
	read_all(&disk);
	image_close(disk.image);
	return memory;
}

/* Once it is repaired, nothing is wrong with it. */
static void run_repair(struct file *file)
{
	struct qcow2_check_options options = {
		.name = "fuzz",
		.fix = QCOW2_FIX_LEAKS | QCOW2_FIX_ERRORS,
	};
	struct qcow2_check_result result;

	if (!qcow2_check(file, &options, &result, NULL) &&
	    !result.corruptions && !result.check_errors && !is_sound(file))
		fail("what was repaired is not sound");
}

static void run_tool(struct file *file, enum what what)
{
	const struct qcow2_amend wider = {
		.refcount_order = 5,
		.has_refcounts = true,
	};

	switch (what) {
	case REPAIR:
		run_repair(file);
		break;
	case SNAPSHOTS:
		qcow2_snapshot_create(file, "fuzz", "new", NULL);
		qcow2_snapshot_apply(file, "fuzz", "1", NULL);
		qcow2_snapshot_delete(file, "fuzz", "new", NULL);
		break;
	case REBASE:
		qcow2_rebase(file, "fuzz", "base", "raw", NULL);
		qcow2_rebase(file, "fuzz", NULL, NULL, NULL);
		break;
	default:
		qcow2_amend(file, "fuzz", &wider, NULL);
	}
}

/* Tools leave a sound image sound. */
static struct file *run_tools(struct file *memory, enum what what)
{
	bool sound = is_sound(memory);
	struct file *file = make_file(memory, &memory);

	run_tool(file, what);
	file_close(file);
	if (sound && !is_sound(memory))
		fail("a tool has made a sound image wrong");
	return memory;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct file *memory;
	struct input input;

	if (!parse(data, size, &input))
		return 0;
	memory = file_memory_new(input.image, input.image_size);
	switch (input.what) {
	case READ:
		break;
	case WRITE:
	case RESIZE:
	case EMPTY:
		memory = run_writer(memory, &input);
		break;
	default:
		memory = run_tools(memory, input.what);
	}
	file_close(run_reader(memory));
	return 0;
}
