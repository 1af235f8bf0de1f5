/*
 * block/readahead.h - which clusters are likely to be read next.
 *
 * Whoever reads clusters one after the other is a stream; a few are followed at
 * a time. From its second cluster on, a stream is worth the next ones.
 *
 * Threads: any, at once.
 */
#ifndef BLOCK_READAHEAD_H
#define BLOCK_READAHEAD_H

#include <pthread.h>
#include <stdint.h>

#define READAHEAD_STREAMS 4

struct readahead_stream {
	uint64_t next;	/* the cluster that it comes to next */
	uint64_t ahead; /* those before it were named already */
};

struct readahead {
	pthread_mutex_t lock;
	unsigned int window; /* [c] clusters to be ahead; 0: never ahead */
	unsigned int oldest; /* [l] the stream to give up for a new one */
	struct readahead_stream streams[READAHEAD_STREAMS]; /* [l] */
};

void readahead_init(struct readahead *readahead, unsigned int window);
void readahead_fini(struct readahead *readahead);

/*
 * The cluster is being read. Returns how many others, from *ret_first on, it is
 * time to read ahead; no cluster is named twice to one stream.
 */
unsigned int readahead_note(struct readahead *readahead, uint64_t cluster,
			    uint64_t *ret_first);

#endif
