/*
 * block/qcow2_compressed.c - reading compressed clusters.
 *
 * An L2 entry names the compressed bytes exactly, so it is the key by which
 * the inflated cluster is remembered. The last sectors that it names may lie
 * past the end of the file (QEMU makes such files): zeroes. The entry may be
 * replaced meanwhile; what it named stays there until the gate lets it go, and
 * only then is forgotten (qcow2_dead.c), before it can name something else.
 *
 * Who reads one cluster after the other gets the next ones inflated ahead, by
 * the disk's workers where they have nothing better to do.
 */
#include "block/qcow2.h"

#include <errno.h>
#include <stdlib.h>

#include "block/gate.h"
#include "block/inflated.h"
#include "block/workers.h"

/* Inside the gate. False: there is no compressed cluster (any more). */
static bool find_source(struct qcow2 *qcow2, uint64_t offset,
			struct inflated_source *ret_source)
{
	struct qcow2_cluster cluster;
	struct qcow2_entry entry;

	if (!qcow2_peek(qcow2, offset, &entry, &cluster) ||
	    cluster.kind != QCOW2_COMPRESSED)
		return false;
	*ret_source = (struct inflated_source){
		.file = qcow2->image.file,
		.key = entry.word,
		.offset = cluster.host_offset,
		.length = cluster.host_length,
	};
	return true;
}

/* --- Ahead ---------------------------------------------------------------- */

struct ahead {
	struct worker_job job; /* is first */
	struct qcow2 *qcow2;
	uint64_t offset;
};

/* On a worker's thread. Whoever needs the cluster will hear of an error. */
static void inflate_ahead(struct worker_job *job)
{
	struct ahead *ahead = (struct ahead *)job;
	struct qcow2 *qcow2 = ahead->qcow2;
	struct inflated_source source;
	struct gate_pass pass;

	if (gate_enter(qcow2->image.gate, &pass)) {
		if (ahead->offset < qcow2->image.size &&
		    find_source(qcow2, ahead->offset, &source))
			inflated_prefetch(qcow2->inflated, &source);
		gate_leave(qcow2->image.gate, pass);
	}
	free(ahead);
}

static bool offer_ahead(struct qcow2 *qcow2, uint64_t offset)
{
	struct ahead *ahead = malloc(sizeof(*ahead));

	if (!ahead)
		return false;
	*ahead = (struct ahead){{.run = inflate_ahead}, qcow2, offset};
	if (workers_offer(qcow2->image.workers, &ahead->job))
		return true;
	free(ahead);
	return false;
}

static void read_ahead(struct qcow2 *qcow2, uint64_t offset)
{
	uint64_t cluster = qcow2_cluster_of(qcow2, offset);
	unsigned int count;

	if (!qcow2->image.gate)
		return;
	count = readahead_note(&qcow2->readahead, cluster, &cluster);
	while (count-- && offer_ahead(qcow2, cluster++ << qcow2->cluster_bits))
		;
}

/* --- Now ------------------------------------------------------------------ */

int qcow2_inflate(struct image *image, uint64_t offset, uint64_t length,
		  struct cursor *to)
{
	struct qcow2 *qcow2 = qcow2_of(image);
	struct inflated_source source;

	if (!find_source(qcow2, offset, &source))
		return -EAGAIN;
	read_ahead(qcow2, offset);
	return inflated_read(qcow2->inflated, &source,
			     qcow2_in_cluster(qcow2, offset), length, to);
}

bool qcow2_inflate_known(struct image *image, uint64_t offset, uint64_t length,
			 struct cursor *to)
{
	struct qcow2 *qcow2 = qcow2_of(image);
	struct inflated_source source;

	if (!find_source(qcow2, offset, &source) ||
	    !inflated_read_known(qcow2->inflated, source.key,
				 qcow2_in_cluster(qcow2, offset), length, to))
		return false;
	read_ahead(qcow2, offset);
	return true;
}
