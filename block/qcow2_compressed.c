/*
 * block/qcow2_compressed.c - reading compressed clusters.
 *
 * An L2 entry names the compressed bytes exactly, so it is the key by which
 * the inflated cluster is remembered. The last sectors that it names may lie
 * past the end of the file (QEMU makes such files): zeroes. The entry may be
 * replaced meanwhile; what it named stays there until the gate lets it go, and
 * only then is forgotten (qcow2_alloc.c), before it can name something else.
 */
#include "block/qcow2.h"

#include <errno.h>

#include "block/inflated.h"

int qcow2_inflate(struct image *image, uint64_t offset, uint64_t length,
		  struct cursor *to)
{
	struct qcow2 *qcow2 = qcow2_of(image);
	struct inflated_source source;
	struct qcow2_cluster cluster;
	struct qcow2_entry entry;

	if (!qcow2_peek(qcow2, offset, &entry, &cluster) ||
	    cluster.kind != QCOW2_COMPRESSED)
		return -EAGAIN;
	source = (struct inflated_source){
		.file = image->file,
		.key = entry.word,
		.offset = cluster.host_offset,
		.length = cluster.host_length,
	};
	return inflated_read(qcow2->inflated, &source,
			     offset % qcow2->cluster_size, length, to);
}
