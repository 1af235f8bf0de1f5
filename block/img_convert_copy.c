/*
 * block/img_convert_copy.c - the workers of a copy; see img_convert.h.
 *
 * The disk is cut into pieces, which workers take in order. Each reads its
 * piece and compresses it beside the others; then it waits for its turn, so
 * that the target is written by one at a time and from front to back, as a
 * single worker would. The first error ends all.
 */
#include "block/img_convert.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/math.h"
#include "block/img_status.h"
#include "block/qcow2_compress.h"

/* A piece is at least one cluster, and not less than this. */
#define PIECE_MIN (1 * MIB)

/* Extents that make a piece. */
#define LOOKS_MAX 4096

enum piece_kind {
	PIECE_SKIP, /* the target has it already, or its backing file */
	PIECE_ZERO,
	PIECE_DATA,
};

struct piece {
	uint64_t number; /* its turn */
	uint64_t offset;
	uint64_t length;
	enum piece_kind kind;
};

struct copy {
	struct convert *convert; /* [c] */
	uint64_t piece_max;	 /* [c] bytes */
	pthread_mutex_t lock;
	pthread_cond_t turn_passed; /* with lock */
	uint64_t offset;	    /* [l] of the next piece */
	uint64_t next_number;	    /* [l] and its turn */
	uint64_t turn;		    /* [l] whose it is to write */
	int error;		    /* [l] the first one */
	uint64_t error_offset;	    /* [l] */
	bool error_reading;	    /* [l] */
};

/* One worker's memory. */
struct worker {
	struct copy *copy;
	pthread_t thread;
	uint8_t *data;		/* piece_max */
	uint8_t *packed;	/* piece_max; NULL if nothing is compressed */
	size_t *packed_lengths; /* of each cluster; 0: better as it is */
};

static void fail(struct copy *copy, int error, uint64_t offset, bool reading)
{
	pthread_mutex_lock(&copy->lock);
	if (!copy->error) {
		copy->error = error;
		copy->error_offset = offset;
		copy->error_reading = reading;
	}
	pthread_cond_broadcast(&copy->turn_passed);
	pthread_mutex_unlock(&copy->lock);
}

/* --- The sources, one behind the other ------------------------------------ */

/* Of what is copied; *offset becomes the source's. */
static struct img_disk *find_source(struct convert *convert, uint64_t *offset)
{
	struct img_disk *source = convert->sources;

	*offset += convert->skip;
	for (; *offset >= source->size; source++)
		*offset -= source->size;
	return source;
}

static int read_sources(struct convert *convert, uint64_t offset,
			uint8_t *buffer, uint64_t length)
{
	struct img_disk *source;
	uint64_t at, part;
	int ret;

	for (; length; offset += part, buffer += part, length -= part) {
		at = offset;
		source = find_source(convert, &at);
		part = min_u64(length, source->size - at);
		ret = img_disk_read(source, at, buffer, part);
		if (ret)
			return ret;
	}
	return 0;
}

static enum piece_kind judge(const struct convert *convert,
			     const struct img_status *status)
{
	bool in_top = status->present && !status->depth;

	if (!convert->sparse_size)
		return PIECE_DATA;
	if (convert->target_has_backing && !in_top)
		return PIECE_SKIP;
	if (!status->zero)
		return PIECE_DATA;
	return convert->target_is_zero && !convert->target_has_backing
		       ? PIECE_SKIP
		       : PIECE_ZERO;
}

/*
 * The front of what is left that is of one kind, as far as is known; of what
 * has to be written not more than a worker has room for.
 */
static int find_piece(struct copy *copy, uint64_t offset, struct piece *piece)
{
	struct convert *convert = copy->convert;
	uint64_t end = convert->size;
	struct img_status status;
	struct img_disk *source;
	uint64_t at, length;
	int ret;

	piece->offset = offset;
	piece->length = 0;
	/* In between, somebody may want to stop, or to see how far it is. */
	for (unsigned int i = 0; offset < end && i < LOOKS_MAX; i++) {
		at = offset;
		source = find_source(convert, &at);
		length = min_u64(end - offset, source->size - at);
		ret = img_status_get(source, at, length, &status);
		if (ret)
			return ret;
		if (piece->length && piece->kind != judge(convert, &status))
			break;
		piece->kind = judge(convert, &status);
		if (piece->kind != PIECE_SKIP)
			end = min_u64(end, piece->offset + copy->piece_max);
		piece->length += min_u64(status.length, end - offset);
		offset += status.length;
	}
	return 0;
}

/* Pieces of data end where clusters do, so that each is written once. */
static void align_piece(const struct convert *convert, struct piece *piece)
{
	uint64_t unit = convert->unit, next;

	if (piece->kind == PIECE_DATA)
		next = align_up(piece->offset + piece->length, unit);
	else
		next = align_down(piece->offset + piece->length, unit);
	if (next <= piece->offset) {
		/* Less than a cluster of zeroes: part of a cluster of data. */
		piece->kind = PIECE_DATA;
		next = align_down(piece->offset, unit) + unit;
	}
	piece->length = min_u64(next, convert->size) - piece->offset;
}

/* The next piece; its length is 0 at the end. */
static int take_piece(struct copy *copy, struct piece *piece)
{
	struct convert *convert = copy->convert;
	uint64_t offset;
	int ret = 0;

	*piece = (struct piece){0};
	pthread_mutex_lock(&copy->lock);
	offset = copy->offset;
	if (copy->error || offset == convert->size) {
		pthread_mutex_unlock(&copy->lock);
		return 0;
	}
	ret = find_piece(copy, offset, piece);
	if (!ret) {
		align_piece(convert, piece);
		piece->number = copy->next_number++;
		copy->offset += piece->length;
	}
	pthread_mutex_unlock(&copy->lock);
	if (ret)
		fail(copy, ret, offset, true);
	return ret;
}

/* --- The target ----------------------------------------------------------- */

static bool is_zero(const uint8_t *data, size_t length)
{
	return !length || (!data[0] && !memcmp(data, data + 1, length - 1));
}

/*
 * How much at the front is all zeroes, or all data; a run of zeroes counts
 * from the sparse size on, in steps of that.
 */
static size_t find_run(const struct convert *convert, const uint8_t *data,
		       size_t length, bool *ret_zero)
{
	size_t step = convert->sparse_size, run;

	*ret_zero = false;
	if (!step)
		return length;
	*ret_zero = is_zero(data, min_u64(step, length));
	for (run = min_u64(step, length); run < length;
	     run += min_u64(step, length - run))
		if (is_zero(data + run, min_u64(step, length - run)) !=
		    *ret_zero)
			break;
	return run;
}

static int write_zero(struct convert *convert, uint64_t offset, uint64_t length)
{
	if (convert->target_is_zero && !convert->target_has_backing)
		return 0;
	return img_disk_write_zeroes(&convert->target, offset, length,
				     convert->sparse_size);
}

static int write_data(struct convert *convert, uint64_t offset,
		      const uint8_t *data, uint64_t length)
{
	size_t run;
	bool zero;
	int ret = 0;

	for (; length && !ret; offset += run, data += run, length -= run) {
		run = find_run(convert, data, length, &zero);
		if (zero)
			ret = write_zero(convert, offset, run);
		else
			ret = img_disk_write(&convert->target, offset, data,
					     run);
	}
	return ret;
}

/* Whole clusters but for the disk's last, which is filled up with zeroes. */
static int pack(struct worker *worker, const struct piece *piece)
{
	const struct convert *convert = worker->copy->convert;
	uint64_t unit = convert->unit;
	size_t *length = worker->packed_lengths;
	int ret = 0;

	memset(worker->data + piece->length, 0,
	       align_up(piece->length, unit) - piece->length);
	for (uint64_t at = 0; at < piece->length && !ret;
	     at += unit, length++) {
		*length = 0;
		if (!convert->sparse_size || !is_zero(worker->data + at, unit))
			ret = qcow2_compress(convert->compression,
					     worker->data + at, unit,
					     worker->packed + at, length);
	}
	return ret;
}

static int write_packed(struct worker *worker, const struct piece *piece)
{
	struct convert *convert = worker->copy->convert;
	uint64_t unit = convert->unit;
	const size_t *length = worker->packed_lengths;
	int ret = 0;

	for (uint64_t at = 0; at < piece->length && !ret; at += unit, length++)
		if (*length)
			ret = block_write_compressed(convert->target.block,
						     piece->offset + at,
						     worker->packed + at,
						     *length);
		else
			ret = write_data(convert, piece->offset + at,
					 worker->data + at,
					 min_u64(unit, piece->length - at));
	return ret;
}

static int write_piece(struct worker *worker, const struct piece *piece)
{
	struct convert *convert = worker->copy->convert;

	if (piece->kind == PIECE_SKIP)
		return 0;
	if (piece->kind == PIECE_ZERO)
		return write_zero(convert, piece->offset, piece->length);
	if (convert->compress)
		return write_packed(worker, piece);
	return write_data(convert, piece->offset, worker->data, piece->length);
}

/* --- The workers ---------------------------------------------------------- */

static int prepare_piece(struct worker *worker, const struct piece *piece)
{
	struct convert *convert = worker->copy->convert;
	int ret;

	if (piece->kind != PIECE_DATA)
		return 0;
	ret = read_sources(convert, piece->offset, worker->data, piece->length);
	if (!ret && convert->compress)
		ret = pack(worker, piece);
	return ret;
}

/* False if another worker failed meanwhile. */
static bool wait_for_turn(struct copy *copy, const struct piece *piece)
{
	bool is_ours;

	pthread_mutex_lock(&copy->lock);
	while (copy->turn != piece->number && !copy->error)
		pthread_cond_wait(&copy->turn_passed, &copy->lock);
	is_ours = !copy->error;
	pthread_mutex_unlock(&copy->lock);
	return is_ours;
}

static void pass_turn(struct copy *copy, const struct piece *piece)
{
	pthread_mutex_lock(&copy->lock);
	copy->turn++;
	img_progress_show(copy->convert->progress,
			  piece->offset + piece->length);
	pthread_cond_broadcast(&copy->turn_passed);
	pthread_mutex_unlock(&copy->lock);
}

static bool copy_piece(struct worker *worker, const struct piece *piece)
{
	struct copy *copy = worker->copy;
	int ret = prepare_piece(worker, piece);

	if (ret) {
		fail(copy, ret, piece->offset, true);
		return false;
	}
	if (!wait_for_turn(copy, piece))
		return false;
	ret = write_piece(worker, piece);
	if (!ret && atomic_load(copy->convert->stop))
		ret = -ECANCELED;
	if (ret) {
		fail(copy, ret, piece->offset, false);
		return false;
	}
	pass_turn(copy, piece);
	return true;
}

static void *work(void *argument)
{
	struct worker *worker = argument;
	struct piece piece;

	while (!take_piece(worker->copy, &piece) && piece.length &&
	       copy_piece(worker, &piece))
		;
	return NULL;
}

static void worker_fini(struct worker *worker)
{
	free(worker->data);
	free(worker->packed);
	free(worker->packed_lengths);
}

static int worker_init(struct worker *worker, struct copy *copy)
{
	bool compress = copy->convert->compress;
	uint64_t clusters = copy->piece_max / copy->convert->unit;

	*worker = (struct worker){
		.copy = copy,
		.data = malloc(copy->piece_max),
		.packed = compress ? malloc(copy->piece_max) : NULL,
		.packed_lengths = compress ? calloc(clusters, sizeof(size_t))
					   : NULL,
	};
	if (worker->data &&
	    (!compress || (worker->packed && worker->packed_lengths)))
		return 0;
	worker_fini(worker);
	return -ENOMEM;
}

/* As many as there are means for; at least one. */
static int run_workers(struct copy *copy)
{
	struct worker workers[CONVERT_WORKERS_MAX];
	unsigned int count = 0;
	int ret = 0;

	for (; count < copy->convert->workers; count++) {
		ret = worker_init(&workers[count], copy);
		if (ret)
			break;
		ret = -pthread_create(&workers[count].thread, NULL, work,
				      &workers[count]);
		if (ret) {
			worker_fini(&workers[count]);
			break;
		}
	}
	for (unsigned int i = 0; i < count; i++) {
		pthread_join(workers[i].thread, NULL);
		worker_fini(&workers[i]);
	}
	return count ? 0 : ret;
}

int convert_copy(struct convert *convert, uint64_t *ret_offset,
		 bool *ret_reading)
{
	struct copy copy = {
		.convert = convert,
		.piece_max = align_up(PIECE_MIN, convert->unit),
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.turn_passed = PTHREAD_COND_INITIALIZER,
	};
	int ret = run_workers(&copy);

	if (ret)
		copy.error = ret;
	*ret_offset = copy.error_offset;
	*ret_reading = copy.error_reading;
	return copy.error;
}
