/*
 * block/img_status.c - see img_status.h.
 *
 * What the tables say is data may still be a hole of the host's file; the file
 * system is asked, and what it does not know counts as data.
 */
#include "block/img_status.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/math.h"

/*
 * Is the front of a range of the file a hole? *ret_length: how much is alike.
 * Past the end of the file all is a hole.
 */
static bool find_hole(struct file *file, uint64_t offset, uint64_t length,
		      uint64_t *ret_length)
{
	off_t data, hole;

	*ret_length = length;
	if (offset >= file_size(file))
		return true;
	if (file->fd < 0)
		return false;
	data = lseek(file->fd, (off_t)offset, SEEK_DATA);
	if (data > (off_t)offset) {
		*ret_length = min_u64(length, (uint64_t)data - offset);
		return true;
	}
	/* ENXIO: there is no data behind it. */
	if (data < 0)
		return lseek(file->fd, 0, SEEK_HOLE) >= 0;
	hole = lseek(file->fd, (off_t)offset, SEEK_HOLE);
	if (hole > (off_t)offset)
		*ret_length = min_u64(length, (uint64_t)hole - offset);
	return false;
}

/* In the chain; where nobody has it, the lowest image that reaches so far. */
static unsigned int find_depth(const struct image *top,
			       const struct extent *extent, uint64_t offset)
{
	unsigned int depth = 0;

	for (; top != extent->image; top = top->backing, depth++)
		if (!top->backing ||
		    (!extent->image && offset >= top->backing->size))
			break;
	return depth;
}

/*
 * A qcow2 image whose file has far fewer bytes than clusters was made with
 * preallocation=metadata, and many of its clusters are holes. In others too few
 * are to be worth the look; so qemu-img says, and judges by the same numbers.
 */
static bool has_holes(const struct image *image)
{
	uint64_t unit = image->discard_granularity, clusters, real;
	struct stat st;

	if (!image->ops->load)
		return true;
	if (image->data->fd < 0 || fstat(image->data->fd, &st))
		return false;
	clusters = div_round_up(file_size(image->data), unit);
	real = (uint64_t)st.st_blocks * 512 / unit;
	return clusters >= max_u64(real * 10 / 9, real + 2);
}

static void describe_data(const struct extent *extent,
			  struct img_status *status)
{
	bool is_raw = !extent->image->ops->load;

	if (has_holes(extent->image))
		status->zero = find_hole(extent->image->data,
					 extent->host_offset, extent->length,
					 &status->length);
	status->data = !(is_raw && status->zero);
	status->has_offset = true;
	status->offset = extent->host_offset;
	status->file = extent->image->name;
}

/* Of whole sectors. */
static int get_status(struct img_disk *disk, uint64_t offset, uint64_t length,
		      struct img_status *ret_status)
{
	struct extent extent = {0};
	int ret = block_find(disk->block, offset, length, &extent);

	if (ret)
		return ret;
	*ret_status = (struct img_status){
		.length = extent.length,
		.depth = find_depth(disk->top, &extent, offset),
		.present = extent.image,
		.zero = extent.kind == BLOCK_EXTENT_ZERO,
		.compressed = extent.kind == BLOCK_EXTENT_COMPRESSED,
		.data = extent.kind == BLOCK_EXTENT_COMPRESSED,
	};
	if (extent.kind == BLOCK_EXTENT_DATA)
		describe_data(&extent, ret_status);
	/* Zeroes may have clusters reserved for them. */
	if (extent.kind == BLOCK_EXTENT_ZERO && extent.host_offset) {
		ret_status->has_offset = true;
		ret_status->offset = extent.host_offset;
	}
	return 0;
}

int img_status_get(struct img_disk *disk, uint64_t offset, uint64_t length,
		   struct img_status *ret_status)
{
	uint64_t skip = offset % BLOCK_SECTOR;
	int ret = get_status(disk, offset - skip,
			     align_up(skip + length, BLOCK_SECTOR), ret_status);

	if (ret)
		return ret;
	/* Behind a raw file's end, in its last sector. */
	if (ret_status->length <= skip)
		ret_status->length = BLOCK_SECTOR;
	ret_status->length = min_u64(ret_status->length - skip, length);
	ret_status->offset += skip;
	return 0;
}
