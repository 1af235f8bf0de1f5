/*
 * bench/tools/inflate_loop.c - what inflating a cluster takes where nothing
 * lies between a program and the fastest library for it.
 *
 * usage: inflate_loop zlib|zstd FILE
 *
 * Takes clusters of 64 KiB from all over the file, compresses them as QEMU
 * does, and inflates them one after the other. Prints the CPU time of one and
 * how many that is in a second: cpu_us=N rate=N.
 */
#include <fcntl.h>
#include <libdeflate.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define CLUSTER	       65536
#define CLUSTERS       1024
#define ROUNDS	       4
#define DEFLATE_WINDOW (-12)
#define DEFLATE_MEMORY 9

/* One cluster, compressed; none where that did not make it smaller. */
struct packed {
	size_t length;
	uint8_t data[CLUSTER];
};

struct codec {
	size_t (*pack)(const uint8_t *cluster, uint8_t *packed);
	bool (*unpack)(void *state, const struct packed *packed,
		       uint8_t *cluster);
	void *state;
};

static struct packed packed[CLUSTERS];

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static size_t pack_zlib(const uint8_t *cluster, uint8_t *to)
{
	z_stream stream = {
		.next_in = (uint8_t *)cluster,
		.avail_in = CLUSTER,
		.next_out = to,
		.avail_out = CLUSTER,
	};
	int ret;

	if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
			 DEFLATE_WINDOW, DEFLATE_MEMORY, Z_DEFAULT_STRATEGY))
		fail("deflateInit2");
	ret = deflate(&stream, Z_FINISH);
	deflateEnd(&stream);
	return ret == Z_STREAM_END ? CLUSTER - stream.avail_out : 0;
}

static bool unpack_zlib(void *state, const struct packed *from,
			uint8_t *cluster)
{
	return libdeflate_deflate_decompress_ex(state, from->data, from->length,
						cluster, CLUSTER, NULL,
						NULL) == LIBDEFLATE_SUCCESS;
}

static size_t pack_zstd(const uint8_t *cluster, uint8_t *to)
{
	size_t length = ZSTD_compress(to, CLUSTER, cluster, CLUSTER,
				      ZSTD_CLEVEL_DEFAULT);

	return ZSTD_isError(length) ? 0 : length;
}

static bool unpack_zstd(void *state, const struct packed *from,
			uint8_t *cluster)
{
	return ZSTD_decompressDCtx(state, cluster, CLUSTER, from->data,
				   from->length) == CLUSTER;
}

static struct codec codec_of(const char *name)
{
	if (!strcmp(name, "zstd"))
		return (struct codec){pack_zstd, unpack_zstd,
				      ZSTD_createDCtx()};
	return (struct codec){pack_zlib, unpack_zlib,
			      libdeflate_alloc_decompressor()};
}

/* Fills packed[]; how many there are. */
static size_t pack_all(const struct codec *codec, int fd)
{
	static uint8_t cluster[CLUSTER];
	struct stat stat;
	size_t count = 0;
	off_t step;

	if (fstat(fd, &stat))
		fail("fstat");
	step = stat.st_size / CLUSTERS / CLUSTER * CLUSTER;
	for (off_t i = 0; i < CLUSTERS; i++) {
		if (pread(fd, cluster, CLUSTER, i * step) != CLUSTER)
			fail("pread");
		packed[count].length = codec->pack(cluster, packed[count].data);
		count += packed[count].length > 0;
	}
	return count;
}

static double cpu_us(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

int main(int argc, char **argv)
{
	static uint8_t cluster[CLUSTER];
	struct codec codec;
	size_t count;
	double each;
	int fd;

	if (argc != 3) {
		fprintf(stderr, "usage: inflate_loop zlib|zstd FILE\n");
		return 2;
	}
	fd = open(argv[2], O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail(argv[2]);
	codec = codec_of(argv[1]);
	count = pack_all(&codec, fd);
	each = cpu_us();
	for (size_t i = 0; i < ROUNDS * count; i++)
		if (!codec.unpack(codec.state, &packed[i % count], cluster))
			fail("inflate");
	each = (cpu_us() - each) / (double)(ROUNDS * count);
	printf("cpu_us=%.3f rate=%.1f\n", each, 1e6 / each);
	return 0;
}
