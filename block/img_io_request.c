/* block/img_io_request.c - one request: done, and reported; see img_io.h. */
#include "block/img_io.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/math.h"
#include "block/img_command.h"
#include "block/img_size.h"
#include "block/img_status.h"
#include "block/qcow2_compress.h"
#include "block/qcow2_describe.h"

struct io_request *io_request_new(struct io *io, enum io_kind kind,
				  const char *word)
{
	struct io_request *request = calloc(1, sizeof(*request));

	if (!request) {
		img_error("out of memory");
		return NULL;
	}
	request->disk = &io->disk;
	request->kind = kind;
	request->word = word;
	request->copy_on_read = io->copy_on_read;
	request->flush_after = io->how.writethrough;
	return request;
}

void io_request_free(struct io_request *request)
{
	if (request)
		free(request->data);
	free(request);
}

/* --- The I/O -------------------------------------------------------------- */

static int write_one_packed(struct img_disk *disk, uint64_t offset,
			    const uint8_t *cluster, uint8_t *packed,
			    const struct qcow2_description *qcow2,
			    uint64_t length)
{
	size_t packed_length;
	int ret = qcow2_compress(qcow2->compression, cluster,
				 qcow2->cluster_size, packed, &packed_length);

	if (ret)
		return ret;
	if (packed_length)
		return block_write_compressed(disk->block, offset, packed,
					      packed_length);
	return img_disk_write(disk, offset, cluster, length);
}

/* Whole clusters, but for one that the disk ends in. */
static int write_clusters(struct img_disk *disk, uint64_t offset,
			  const uint8_t *data, uint64_t length,
			  const struct qcow2_description *qcow2)
{
	uint64_t size = qcow2->cluster_size, part;
	uint8_t *cluster = calloc(2, size);
	int ret = 0;

	if (!cluster)
		return -ENOMEM;
	for (uint64_t at = 0; at < length && !ret; at += size) {
		part = min_u64(size, length - at);
		memcpy(cluster, data + at, part);
		memset(cluster + part, 0, size - part);
		ret = write_one_packed(disk, offset + at, cluster,
				       cluster + size, qcow2, part);
	}
	free(cluster);
	return ret;
}

/* With what the clusters hold around it. */
static int write_widened(struct io_request *request,
			 const struct qcow2_description *qcow2)
{
	struct img_disk *disk = request->disk;
	uint64_t end = request->offset + request->length;
	uint64_t start = align_down(request->offset, qcow2->cluster_size);
	uint64_t length =
		min_u64(align_up(end, qcow2->cluster_size), disk->size) - start;
	uint8_t *data = malloc(max_u64(length, 1));
	int ret;

	if (!data)
		return -ENOMEM;
	ret = img_disk_read(disk, start, data, length);
	if (!ret) {
		memcpy(data + (request->offset - start), request->data,
		       request->length);
		ret = write_clusters(disk, start, data, length, qcow2);
	}
	free(data);
	return ret;
}

static int write_compressed(struct io_request *request)
{
	struct img_disk *disk = request->disk;
	uint64_t end = request->offset + request->length;
	struct qcow2_description qcow2;
	int ret;

	if (!img_disk_is_qcow2(disk))
		return -ENOTSUP;
	if (!range_fits(request->offset, request->length, disk->size))
		return -EIO;
	ret = qcow2_describe(disk->top, &qcow2);
	if (ret)
		return ret;
	if (is_aligned(request->offset, qcow2.cluster_size) &&
	    (is_aligned(end, qcow2.cluster_size) || end == disk->size))
		return write_clusters(disk, request->offset, request->data,
				      request->length, &qcow2);
	/* Only the driver of that name does the rest itself. */
	return request->compress ? -EINVAL : write_widened(request, &qcow2);
}

/* What came from a backing file is written to the image itself. */
static int copy_on_read(struct io_request *request)
{
	struct img_disk *disk = request->disk;
	uint64_t end = align_down(request->offset + request->length,
				  BLOCK_SECTOR);
	uint64_t offset = align_up(request->offset, BLOCK_SECTOR);
	struct img_status status;
	int ret = 0;

	for (; offset < end && !ret; offset += status.length) {
		ret = img_status_get(disk, offset, end - offset, &status);
		if (ret || (status.present && !status.depth))
			continue;
		if (status.zero)
			ret = img_disk_write_zeroes(disk, offset, status.length,
						    true);
		else
			ret = img_disk_write(disk, offset,
					     request->data + offset -
						     request->offset,
					     status.length);
	}
	return ret;
}

static int discard(struct io_request *request)
{
	uint64_t end = request->offset + request->length;
	uint64_t first = align_up(request->offset, BLOCK_SECTOR);

	if (!range_fits(request->offset, request->length, request->disk->size))
		return -EIO;
	end = align_down(end, BLOCK_SECTOR);
	if (first >= end)
		return 0;
	return block_discard(request->disk->block, first, end - first);
}

static int run(struct io_request *request)
{
	struct img_disk *disk = request->disk;
	int ret;

	if (request->vm_state)
		return -ENOTSUP;
	switch (request->kind) {
	case IO_READ:
		ret = img_disk_read(disk, request->offset, request->data,
				    request->length);
		if (!ret && request->copy_on_read)
			ret = copy_on_read(request);
		return ret;
	case IO_WRITE:
		if (request->compress || disk->compress)
			return write_compressed(request);
		return img_disk_write(disk, request->offset, request->data,
				      request->length);
	case IO_WRITE_ZEROES:
		return img_disk_write_zeroes(disk, request->offset,
					     request->length,
					     request->may_unmap);
	default:
		return discard(request);
	}
}

void io_request_run(struct io_request *request)
{
	clock_gettime(CLOCK_MONOTONIC, &request->start);
	request->error = run(request);
	if (!request->error && request->flush_after && request->kind != IO_READ)
		request->error = block_flush(request->disk->block);
	clock_gettime(CLOCK_MONOTONIC, &request->end);
}

/* --- The report ----------------------------------------------------------- */

static int check_pattern(const struct io_request *request)
{
	const uint8_t *data = request->data + request->check_offset;

	for (uint64_t i = 0; i < request->check_length; i++)
		if (data[i] != request->pattern) {
			printf("Pattern verification failed at offset %" PRIu64
			       ", %" PRIu64 " bytes\n",
			       request->offset + request->check_offset,
			       request->check_length);
			return -EINVAL;
		}
	return 0;
}

static void dump(const struct io_request *request)
{
	const uint8_t *data = request->data;
	uint64_t part;

	for (uint64_t at = 0; at < request->length; at += 16) {
		part = min_u64(16, request->length - at);
		printf("%08" PRIx64 ":  ", request->offset + at);
		for (uint64_t i = at; i < at + part; i++)
			printf("%02x ", data[i]);
		printf(" ");
		for (uint64_t i = at; i < at + part; i++)
			printf("%c", isalnum(data[i]) ? data[i] : '.');
		printf("\n");
	}
}

/* "00.25 sec", from a minute on and with @full "0:01:02.25". */
static void time_text(double seconds, bool full, char text[40])
{
	uint64_t hundredths = (uint64_t)(seconds * 100);
	unsigned int s = (unsigned int)(hundredths / 100 % 60);
	unsigned int h = (unsigned int)(hundredths % 100);
	uint64_t minutes = hundredths / 6000;

	if (minutes || full)
		snprintf(text, 40, "%" PRIu64 ":%02u:%02u.%02u", minutes / 60,
			 (unsigned int)(minutes % 60), s, h);
	else
		snprintf(text, 40, "%02u.%02u sec", s, h);
}

static double elapsed(const struct io_request *request)
{
	double seconds = (double)(request->end.tv_sec - request->start.tv_sec);

	return seconds +
	       (double)(request->end.tv_nsec - request->start.tv_nsec) / 1e9;
}

static void print_statistics(const struct io_request *request)
{
	static const char *const verbs[] = {
		[IO_READ] = "read",
		[IO_WRITE] = "wrote",
		[IO_WRITE_ZEROES] = "wrote",
		[IO_DISCARD] = "discard",
	};
	char total[IMG_SIZE_TEXT_MAX], rate[IMG_SIZE_TEXT_MAX], time[40];
	double seconds = elapsed(request), bytes = (double)request->length;

	time_text(seconds, request->csv, time);
	if (request->csv) {
		printf("%" PRIu64 ",1,%s,%.3f,%.3f\n", request->length, time,
		       bytes / seconds, 1 / seconds);
		return;
	}
	printf("%s %" PRIu64 "/%" PRIu64 " bytes at offset %" PRIu64 "\n",
	       verbs[request->kind], request->length, request->length,
	       request->offset);
	printf("%s, 1 ops; %s (%s/sec and %.4f ops/sec)\n",
	       img_size_io_text(bytes, total), time,
	       img_size_io_text(bytes / seconds, rate), 1 / seconds);
}

int io_request_report(const struct io_request *request)
{
	int ret = 0;

	if (request->error) {
		printf("%s failed: %s\n", request->word,
		       strerror(-request->error));
		return request->error;
	}
	if (request->check)
		ret = check_pattern(request);
	if (request->quiet)
		return ret;
	if (request->dump)
		dump(request);
	print_statistics(request);
	return ret;
}

/* --- Asynchronous requests ------------------------------------------------ */

static void *run_thread(void *argument)
{
	io_request_run(argument);
	return NULL;
}

void io_wait_pending(struct io *io)
{
	for (size_t i = 0; i < io->pending_count; i++) {
		pthread_join(io->pending[i]->thread, NULL);
		io_request_report(io->pending[i]);
		io_request_free(io->pending[i]);
	}
	io->pending_count = 0;
}

int io_request_start(struct io *io, struct io_request *request)
{
	int ret;

	if (io->pending_count == IO_PENDING_MAX)
		io_wait_pending(io);
	ret = -pthread_create(&request->thread, NULL, run_thread, request);
	if (ret) {
		img_error("cannot start a thread: %s", strerror(-ret));
		io_request_free(request);
		return ret;
	}
	io->pending[io->pending_count++] = request;
	return 0;
}
