/*
 * block/qcow2_compressed.c - reading compressed clusters.
 *
 * A cluster is inflated as a whole, and the last ones are remembered: a guest
 * that reads in 4 KiB pieces pays once, and so does one that a hostile image
 * would like to keep inflating. A slot is found by its L2 entry, which names
 * the compressed bytes exactly.
 *
 * Deflate is raw, with QEMU's window of 2^12. Zstandard may come in several
 * frames, its window is bounded. In both, output decides: exactly one cluster
 * has to come out, what follows in the input is none of ours. The last sectors
 * may lie past the end of the file (QEMU makes such files): zeroes.
 */
#include "block/qcow2.h"

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

/* For remembered clusters; but always room for one. */
#define INFLATED_BYTES (1 * MIB)
#define INFLATED_SLOTS 16

#define DEFLATE_WINDOW_BITS  (-12)
#define ZSTD_WINDOW_BITS_MAX (QCOW2_CLUSTER_BITS_MAX + 1)

int qcow2_inflated_init(struct qcow2 *qcow2)
{
	struct qcow2_inflated *inflated = &qcow2->inflated;

	inflated->slot_count =
		max_u64(1, min_u64(INFLATED_SLOTS,
				   INFLATED_BYTES >> qcow2->cluster_bits));
	inflated->slots = calloc(inflated->slot_count,
				 sizeof(*inflated->slots));
	return inflated->slots ? 0 : -ENOMEM;
}

void qcow2_inflated_fini(struct qcow2 *qcow2)
{
	struct qcow2_inflated *inflated = &qcow2->inflated;

	for (size_t i = 0; i < inflated->slot_count; i++)
		free(inflated->slots[i].data);
	free(inflated->slots);
	free(inflated->input);
	ZSTD_freeDCtx(inflated->zstd);
	*inflated = (struct qcow2_inflated){0};
}

void qcow2_inflated_drop(struct qcow2 *qcow2)
{
	struct qcow2_inflated *inflated = &qcow2->inflated;

	for (size_t i = 0; i < inflated->slot_count; i++)
		inflated->slots[i].entry = 0;
}

static int inflate_deflate(struct qcow2 *qcow2, size_t length, uint8_t *output)
{
	z_stream stream = {
		.next_in = qcow2->inflated.input,
		.avail_in = (uInt)length,
		.next_out = output,
		.avail_out = (uInt)qcow2->cluster_size,
	};
	int ret;

	if (inflateInit2(&stream, DEFLATE_WINDOW_BITS) != Z_OK)
		return -ENOMEM;
	ret = inflate(&stream, Z_FINISH);
	inflateEnd(&stream);
	/* Z_BUF_ERROR: no room for more, and there need not be. */
	if (stream.avail_out || (ret != Z_STREAM_END && ret != Z_BUF_ERROR))
		return -EIO;
	return 0;
}

static int zstd_prepare(struct qcow2_inflated *inflated)
{
	if (!inflated->zstd)
		inflated->zstd = ZSTD_createDCtx();
	if (!inflated->zstd)
		return -ENOMEM;
	ZSTD_DCtx_reset(inflated->zstd, ZSTD_reset_session_and_parameters);
	ZSTD_DCtx_setParameter(inflated->zstd, ZSTD_d_windowLogMax,
			       ZSTD_WINDOW_BITS_MAX);
	return 0;
}

static int inflate_zstd(struct qcow2 *qcow2, size_t length, uint8_t *output)
{
	struct qcow2_inflated *inflated = &qcow2->inflated;
	ZSTD_inBuffer in = {inflated->input, length, 0};
	ZSTD_outBuffer out = {output, qcow2->cluster_size, 0};
	size_t before, ret;
	int prepared = zstd_prepare(inflated);

	if (prepared)
		return prepared;
	while (out.pos < out.size) {
		before = in.pos + out.pos;
		ret = ZSTD_decompressStream(inflated->zstd, &out, &in);
		if (ZSTD_isError(ret) || in.pos + out.pos == before)
			return -EIO;
	}
	return 0;
}

/* The slot that was used longest ago. */
static struct qcow2_inflated_slot *oldest_slot(struct qcow2_inflated *inflated)
{
	struct qcow2_inflated_slot *oldest = inflated->slots;

	for (size_t i = 1; i < inflated->slot_count; i++)
		if (inflated->slots[i].last_use < oldest->last_use)
			oldest = &inflated->slots[i];
	return oldest;
}

static int slot_reserve(struct qcow2 *qcow2, struct qcow2_inflated_slot *slot)
{
	/* An entry's length field cannot ask for more than two clusters. */
	if (!qcow2->inflated.input)
		qcow2->inflated.input = malloc(2 * qcow2->cluster_size);
	if (!slot->data)
		slot->data = malloc(qcow2->cluster_size);
	return slot->data && qcow2->inflated.input ? 0 : -ENOMEM;
}

static int slot_fill(struct qcow2 *qcow2, struct qcow2_inflated_slot *slot,
		     const struct qcow2_cluster *cluster)
{
	size_t length = cluster->host_length;
	int ret;

	slot->entry = 0;
	ret = slot_reserve(qcow2, slot);
	if (!ret)
		ret = file_read(qcow2->image.file, qcow2->inflated.input,
				length, cluster->host_offset);
	if (ret)
		return ret;
	if (qcow2->info.compression == QCOW2_ZSTD)
		return inflate_zstd(qcow2, length, slot->data);
	return inflate_deflate(qcow2, length, slot->data);
}

/* The cluster that @entry describes, inflated. */
static int inflated_get(struct qcow2 *qcow2, uint64_t entry,
			const struct qcow2_cluster *cluster,
			const uint8_t **ret_data)
{
	struct qcow2_inflated *inflated = &qcow2->inflated;
	struct qcow2_inflated_slot *slot = NULL;
	int ret;

	for (size_t i = 0; i < inflated->slot_count && !slot; i++)
		if (inflated->slots[i].entry == entry)
			slot = &inflated->slots[i];
	if (!slot) {
		slot = oldest_slot(inflated);
		ret = slot_fill(qcow2, slot, cluster);
		if (ret)
			return ret;
		slot->entry = entry;
	}
	slot->last_use = ++inflated->clock;
	*ret_data = slot->data;
	return 0;
}

int qcow2_inflate(struct image *image, uint64_t offset, uint64_t length,
		  struct cursor *to)
{
	struct qcow2 *qcow2 = qcow2_of(image);
	struct qcow2_cluster cluster;
	struct qcow2_entry entry;
	const uint8_t *data;
	int ret;

	ret = qcow2_lookup(qcow2, offset, &entry, &cluster);
	if (!ret)
		ret = inflated_get(qcow2, entry.word, &cluster, &data);
	if (!ret)
		cursor_fill(to, data + offset % qcow2->cluster_size, length);
	return ret;
}
