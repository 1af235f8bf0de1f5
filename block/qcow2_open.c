/*
 * block/qcow2_open.c - opening and closing a qcow2 image.
 *
 * Opening writes nothing. A writer's first act after that is to repair an image
 * that was not closed; then to clear the autoclear bits, durably, because
 * whatever they vouch for (bitmaps, say) will not follow our writes; only that
 * a data file is raw stays true.
 *
 * Refcounts are always written before what depends on them. An image with the
 * lazy refcounts bit would allow to put them off and to be marked dirty in the
 * meantime: that saves one write of many, and costs a repair of the whole image
 * after each crash. So that bit is left as it is, and not made use of.
 */
#include "block/qcow2.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "block/mutant.h"
#include "block/qcow2_check.h"

/* It was not closed when it was last written: its refcounts may be wrong. */
static int repair(struct qcow2 *qcow2)
{
	struct qcow2_check_options options = {
		.name = qcow2->image.name,
		.fix = QCOW2_FIX_LEAKS | QCOW2_FIX_ERRORS,
	};
	struct qcow2_check_result result;
	struct err err;
	int ret;

	ret = qcow2_check(qcow2->image.file, &options, &result, &err);
	if (!ret && (result.corruptions || result.check_errors))
		ret = err_set(&err, EUCLEAN, "%s cannot be repaired",
			      qcow2->image.name);
	if (!ret)
		ret = qcow2_state_reload(qcow2, &err);
	if (ret)
		log_warning("%s", err.text);
	else
		log_warning("%s was not closed when it was last written; it is "
			    "repaired now",
			    qcow2->image.name);
	return ret;
}

static int qcow2_begin(struct image *image)
{
	struct qcow2 *qcow2 = qcow2_of(image);
	uint64_t kept = qcow2_data_is_raw(qcow2) ? QCOW2_DATA_FILE_RAW : 0;
	be64 bits = be64_make(kept);
	int ret = 0;

	if (qcow2->info.incompatible & QCOW2_DIRTY)
		ret = repair(qcow2);
	if (ret || qcow2->info.autoclear == kept)
		return ret;
	qcow2->info.autoclear = kept;
	ret = file_write(qcow2->image.file, &bits, sizeof(bits),
			 offsetof(struct qcow2_header, autoclear_features));
	if (MUTANT(NO_BARRIER_AFTER_AUTOCLEAR))
		return ret;
	return ret ? ret : file_flush(qcow2->image.file);
}

/* All but the file. */
static void qcow2_free(struct qcow2 *qcow2)
{
	qcow2_state_fini(qcow2);
	free(qcow2->image.name);
	free(qcow2);
}

/* A closed image has no leaks. */
static int qcow2_close(struct image *image)
{
	struct qcow2 *qcow2 = qcow2_of(image);
	int ret = image->read_only ? 0 : qcow2_quiesce(qcow2);

	if (qcow2_has_data_file(qcow2))
		file_close(image->data);
	file_close(image->file);
	qcow2_free(qcow2);
	return ret;
}

static void qcow2_add_statistics(const struct image *image,
				 struct block_statistics *statistics)
{
	const struct qcow2_cache *cache = &qcow2_of_const(image)->l2_cache;

	statistics->misses += cache->misses;
	statistics->evictions += cache->evictions;
}

static const struct image_ops qcow2_ops = {
	.map = qcow2_map,
	.expect = qcow2_expect,
	.load = qcow2_load,
	.inflate = qcow2_inflate,
	.inflate_known = qcow2_inflate_known,
	.begin = qcow2_begin,
	.write = qcow2_write,
	.write_compressed = qcow2_write_compressed,
	.discard = qcow2_discard,
	.write_zeroes = qcow2_write_zeroes,
	.is_settled = qcow2_is_settled,
	.flush = qcow2_flush,
	.write_back = qcow2_write_back,
	.written_back = qcow2_written_back,
	.trim = qcow2_trim,
	.add_statistics = qcow2_add_statistics,
	.empty = qcow2_empty,
	.resize = qcow2_resize,
	.close = qcow2_close,
};

int qcow2_open(struct file *file, const struct image_options *options,
	       struct image **ret_image, struct err *err)
{
	struct qcow2 *qcow2 = calloc(1, sizeof(*qcow2));
	int ret;

	if (!qcow2)
		return err_set(err, ENOMEM, "out of memory");
	qcow2->image.ops = &qcow2_ops;
	qcow2->image.file = file;
	qcow2->image.data = options->data_file ? options->data_file : file;
	qcow2->image.read_only = options->read_only;
	qcow2->image.name = strdup(options->name);
	if (!qcow2->image.name)
		ret = err_set(err, ENOMEM, "out of memory");
	else
		ret = qcow2_state_init(qcow2, options, err);
	if (ret) {
		qcow2_free(qcow2);
		return ret;
	}
	*ret_image = &qcow2->image;
	return 0;
}
