/* block/img_create.c - making the file; see img_create.h. */
#include "block/img_create.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/math.h"
#include "block/backing.h"
#include "block/img_disk.h"
#include "block/img_stop.h"

/* The index of a word in a list that ends with NULL; -EINVAL. */
static int choose(const char *parameter, const char *value,
		  const char *const words[], struct err *err)
{
	for (int i = 0; words[i]; i++)
		if (!strcmp(value, words[i]))
			return i;
	return err_set(err, EINVAL, "Parameter '%s' does not accept value '%s'",
		       parameter, value);
}

static int choose_preallocation(const struct img_create *create,
				struct err *err)
{
	static const char *const words[] = {
		[PREALLOCATE_NONE] = "off",
		[PREALLOCATE_METADATA] = "metadata",
		[PREALLOCATE_FALLOC] = "falloc",
		[PREALLOCATE_FULL] = "full",
		NULL,
	};
	int how = PREALLOCATE_NONE;

	if (create->preallocation)
		how = choose("preallocation", create->preallocation, words,
			     err);
	if (how > PREALLOCATE_NONE && create->backing && !create->extended_l2)
		return err_set(
			err, EINVAL,
			"Backing file and preallocation can only be used "
			"at the same time if extended_l2 is on");
	if (how == PREALLOCATE_METADATA && create->format == BLOCK_RAW)
		return err_set(err, EINVAL,
			       "Unsupported preallocation mode 'metadata'");
	return how;
}

static int choose_version(const struct img_create *create, unsigned int *ret,
			  struct err *err)
{
	static const char *const words[] = {"0.10", "v2", "1.1", "v3", NULL};
	int chosen = 2;

	if (create->compat)
		chosen = choose("version", create->compat, words, err);
	if (chosen < 0)
		return chosen;
	*ret = chosen < 2 ? 2 : 3;
	return 0;
}

static int choose_compression(const struct img_create *create,
			      enum qcow2_compression *ret, struct err *err)
{
	static const char *const words[] = {
		[QCOW2_DEFLATE] = "zlib",
		[QCOW2_ZSTD] = "zstd",
		NULL,
	};
	int chosen = QCOW2_DEFLATE;

	if (create->compression)
		chosen = choose("compression-type", create->compression, words,
				err);
	if (chosen < 0)
		return chosen;
	*ret = (enum qcow2_compression)chosen;
	return 0;
}

static int check_sizes(const struct img_create *create, struct err *err)
{
	if (!is_power_of_two(create->cluster_size) ||
	    create->cluster_size < 1ULL << QCOW2_CLUSTER_BITS_MIN ||
	    create->cluster_size > 1ULL << QCOW2_CLUSTER_BITS_MAX)
		return err_set(
			err, EINVAL,
			"Cluster size must be a power of two between 512 "
			"and 2048k");
	if (!is_power_of_two(create->refcount_bits) ||
	    create->refcount_bits > 1U << QCOW2_REFCOUNT_ORDER_MAX)
		return err_set(err, EINVAL,
			       "Refcount width must be a power of two and may "
			       "not exceed 64 bits");
	return 0;
}

/* What version 2 has no room for. */
static int check_version_2(const struct img_create *create,
			   const struct qcow2_create_options *qcow2,
			   struct err *err)
{
	static const char level[] =
		"compatibility level 1.1 and above (use version=v3 or greater)";

	if (qcow2->version > 2)
		return 0;
	if (create->lazy_refcounts)
		return err_set(err, EINVAL,
			       "Lazy refcounts only supported with %s", level);
	if (create->refcount_bits != 16)
		return err_set(err, EINVAL,
			       "Different refcount widths than 16 bits require "
			       "compatibility level 1.1 or above (use "
			       "version=v3 or greater)");
	if (create->extended_l2)
		return err_set(err, EINVAL,
			       "Extended L2 entries are only supported with %s",
			       level);
	if (create->data_file)
		return err_set(err, EINVAL,
			       "External data files are only supported with %s",
			       level);
	if (qcow2->compression)
		return err_set(err, EINVAL,
			       "Non-zlib compression type is only supported "
			       "with %s",
			       level);
	return 0;
}

/* Files beside the image, and subclusters. */
static int check_features(const struct img_create *create, struct err *err)
{
	if (create->backing_format && !create->backing)
		return err_set(err, EINVAL,
			       "Backing format cannot be used without backing "
			       "file");
	if (create->extended_l2 &&
	    create->cluster_size < 1U << QCOW2_CLUSTER_BITS_MIN_EXTENDED)
		return err_set(err, EINVAL,
			       "Extended L2 entries are only supported with "
			       "cluster sizes of at least %u bytes",
			       1U << QCOW2_CLUSTER_BITS_MIN_EXTENDED);
	if (create->data_file_raw && !create->data_file)
		return err_set(err, EINVAL, "data-file-raw requires data-file");
	if (create->data_file_raw && create->backing)
		return err_set(err, EINVAL,
			       "Backing file and data-file-raw cannot be used "
			       "at the same time");
	return 0;
}

/* From what was typed to what the format's own code takes. */
static int make_qcow2_options(const struct img_create *create,
			      struct qcow2_create_options *qcow2,
			      struct err *err)
{
	int ret;

	*qcow2 = (struct qcow2_create_options){
		.size = align_up(create->size, BLOCK_SECTOR),
		.lazy_refcounts = create->lazy_refcounts,
		.extended_l2 = create->extended_l2,
		.data_file = create->data_file,
		.data_file_raw = create->data_file_raw,
		.backing = create->backing,
		.backing_format = create->backing_format,
	};
	ret = choose_version(create, &qcow2->version, err);
	if (!ret)
		ret = choose_compression(create, &qcow2->compression, err);
	if (!ret)
		ret = check_sizes(create, err);
	if (!ret)
		ret = check_version_2(create, qcow2, err);
	if (!ret)
		ret = check_features(create, err);
	if (ret)
		return ret;
	qcow2->cluster_bits =
		(unsigned int)__builtin_ctzll(create->cluster_size);
	qcow2->refcount_order =
		(unsigned int)__builtin_ctzll(create->refcount_bits);
	if (qcow2->size >
	    qcow2_create_size_max(qcow2->cluster_bits, qcow2->extended_l2))
		return err_set(err, EFBIG,
			       "The image size is too large for file format "
			       "'qcow2' (try using a larger cluster size)");
	return 0;
}

static int make_raw(const struct img_create *create, struct file *file,
		    enum preallocation how, struct err *err)
{
	uint64_t size = align_up(create->size, BLOCK_SECTOR);
	int ret = file_truncate(file, size);

	/* A block device keeps its size. */
	if (ret == -ENOTSUP && size <= file_size(file))
		return 0;
	if (!ret && how != PREALLOCATE_NONE && size)
		ret = file_preallocate(file, 0, size, how, &img_stop);
	if (ret == -EFBIG || ret == -EINVAL)
		return err_set(err, -ret,
			       "The image size is too large for file format "
			       "'raw'");
	return ret ? err_errno(err, -ret, "Could not resize file") : 0;
}

static void remove_file(const char *path)
{
	struct stat st;

	if (!lstat(path, &st) && S_ISREG(st.st_mode))
		unlink(path);
}

/* Opens the file, empty. Until then, what was there before is left alone. */
static int open_empty(const char *path, struct file **ret_file, struct err *err)
{
	struct file_options options = {0};
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	bool is_new = fd >= 0;
	int ret;

	if (fd < 0 && errno != EEXIST)
		return err_errno(err, errno, "Could not create '%s'", path);
	fd_close(&fd);
	ret = file_open(path, &options, ret_file, err);
	if (ret) {
		if (is_new)
			remove_file(path);
		return ret;
	}
	ret = file_truncate(*ret_file, 0);
	if (!ret || ret == -ENOTSUP)
		return 0;
	file_close(*ret_file);
	return err_errno(err, -ret, "Could not empty '%s'", path);
}

/* A data file is always one of its own, empty as the image is. */
static int open_data_file(const struct img_create *create, struct file *file,
			  struct file **ret_data, struct err *err)
{
	char *path = backing_path(create->path, create->data_file);
	int ret;

	if (!path)
		return err_set(err, ENOMEM, "out of memory");
	ret = open_empty(path, ret_data, err);
	free(path);
	if (ret)
		return ret;
	if ((*ret_data)->device == file->device &&
	    (*ret_data)->inode == file->inode)
		ret = err_set(err, EINVAL,
			      "the image cannot be its own data file");
	if (!ret)
		ret = make_raw(create, *ret_data, PREALLOCATE_NONE, err);
	if (ret)
		file_close(*ret_data);
	return ret;
}

/* Takes both files over. */
static int preallocate(const struct img_create *create, struct file *file,
		       struct file *data, enum preallocation how,
		       struct err *err)
{
	struct image_options options = {
		.name = create->path,
		.data_file = data,
	};
	struct image *image;
	int ret, closed;

	ret = qcow2_open(file, &options, &image, err);
	if (ret) {
		file_close(file);
		file_close(data);
		return ret;
	}
	ret = qcow2_preallocate(image, how, &img_stop);
	closed = image_close(image);
	ret = ret ? ret : closed;
	return ret ? err_errno(err, -ret, "Could not preallocate") : 0;
}

/* Takes @file over. A raw data file has a place for each cluster already. */
static int fill_qcow2(const struct img_create *create,
		      const struct qcow2_create_options *qcow2,
		      struct file *file, enum preallocation how,
		      struct err *err)
{
	struct file *data = NULL;
	int ret = 0;

	if (qcow2->data_file_raw && how == PREALLOCATE_NONE)
		how = PREALLOCATE_METADATA;
	if (qcow2->data_file)
		ret = open_data_file(create, file, &data, err);
	if (ret) {
		file_close(file);
		return ret;
	}
	ret = qcow2_create(file, qcow2, err);
	if (!ret && how != PREALLOCATE_NONE)
		return preallocate(create, file, data, how, err);
	file_close(data);
	file_close(file);
	return ret;
}

/* Takes @file over. */
static int fill(const struct img_create *create,
		const struct qcow2_create_options *qcow2, struct file *file,
		enum preallocation how, struct err *err)
{
	int ret;

	if (create->format == BLOCK_QCOW2)
		return fill_qcow2(create, qcow2, file, how, err);
	ret = make_raw(create, file, how, err);
	file_close(file);
	return ret;
}

int img_create_plan(const struct img_create *create,
		    struct qcow2_create_options *ret_qcow2,
		    enum preallocation *ret_how, struct err *err)
{
	int how = choose_preallocation(create, err);

	if (how < 0)
		return how;
	*ret_how = (enum preallocation)how;
	if (create->format == BLOCK_QCOW2)
		return make_qcow2_options(create, ret_qcow2, err);
	if (create->backing)
		return err_set(err, EINVAL,
			       "Backing file not supported for file format "
			       "'raw'");
	return 0;
}

int img_create_make(const struct img_create *create, struct err *err)
{
	struct qcow2_create_options qcow2 = {0};
	enum preallocation how;
	struct file *file;
	int ret;

	ret = img_create_plan(create, &qcow2, &how, err);
	if (!ret)
		ret = open_empty(create->path, &file, err);
	if (ret)
		return ret;
	ret = fill(create, &qcow2, file, how, err);
	if (ret)
		remove_file(create->path);
	return ret == -ECANCELED ? err_set(err, ECANCELED, "interrupted") : ret;
}

void img_create_remove(const struct img_create *create)
{
	char *data = NULL;

	remove_file(create->path);
	if (create->data_file)
		data = backing_path(create->path, create->data_file);
	if (data)
		remove_file(data);
	free(data);
}
