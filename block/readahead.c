/* block/readahead.c - see readahead.h. */
#include "block/readahead.h"

#include <stddef.h>

#include "base/math.h"

void readahead_init(struct readahead *readahead, unsigned int window)
{
	*readahead = (struct readahead){.window = window};
	pthread_mutex_init(&readahead->lock, NULL);
}

void readahead_fini(struct readahead *readahead)
{
	pthread_mutex_destroy(&readahead->lock);
}

/* A cluster is mostly read in several pieces: the last one again is no news. */
static struct readahead_stream *find(struct readahead *readahead,
				     uint64_t cluster)
{
	struct readahead_stream *stream;

	for (size_t i = 0; i < READAHEAD_STREAMS; i++) {
		stream = &readahead->streams[i];
		if (stream->next &&
		    (stream->next == cluster || stream->next == cluster + 1))
			return stream;
	}
	return NULL;
}

static void begin_stream(struct readahead *readahead, uint64_t cluster)
{
	readahead->streams[readahead->oldest] =
		(struct readahead_stream){.next = cluster + 1};
	readahead->oldest = (readahead->oldest + 1) % READAHEAD_STREAMS;
}

unsigned int readahead_note(struct readahead *readahead, uint64_t cluster,
			    uint64_t *ret_first)
{
	struct readahead_stream *stream;
	uint64_t end, count = 0;

	if (!readahead->window)
		return 0;
	pthread_mutex_lock(&readahead->lock);
	stream = find(readahead, cluster);
	if (!stream) {
		begin_stream(readahead, cluster);
	} else if (stream->next == cluster) {
		stream->next = cluster + 1;
		end = stream->next + readahead->window;
		*ret_first = max_u64(stream->ahead, stream->next);
		count = end - *ret_first;
		stream->ahead = end;
	}
	pthread_mutex_unlock(&readahead->lock);
	return (unsigned int)count;
}
