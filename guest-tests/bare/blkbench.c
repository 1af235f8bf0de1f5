/*
 * How many requests a disk answers in a second, seen from a guest that does
 * nothing else: it keeps depth= requests of bytes= under way for ms=, each at
 * a random place, or one behind the other with order=sequential; reads, or
 * writes with op=write. Answers are polled for; doorbells are rung only when
 * the device asks for them (EVENT_IDX), as a kernel would.
 *
 * Prints "# blkbench ... IOPS" and a result. The disk's content is lost with
 * op=write.
 */
#include "runtime/blk.h"
#include "runtime/cpu.h"
#include "runtime/machine.h"
#include "runtime/print.h"
#include "runtime/test.h"

#define DEPTH_MAX  128
#define BYTES_MAX  65536
#define MS_DEFAULT 2000

static struct blk disk;
static struct virtio_blk_outhdr headers[DEPTH_MAX];
static volatile uint8_t status[DEPTH_MAX];
static uint64_t depth, bytes, duration_ms;
static bool sequential;
static uint32_t type;

UNCLEARED static uint8_t buffers[DEPTH_MAX][BYTES_MAX];

struct bench {
	uint64_t random; /* a xorshift generator's state */
	uint64_t place;	 /* of the next request, in units of bytes */
	uint64_t done, failed, doorbells;
};

static uint64_t next_place(struct bench *bench)
{
	uint64_t places = disk.sectors * SECTOR / bytes;

	if (sequential)
		return bench->place++ % places;
	bench->random ^= bench->random << 13;
	bench->random ^= bench->random >> 7;
	bench->random ^= bench->random << 17;
	return bench->random % places;
}

static void describe_request(unsigned int nth)
{
	const struct piece pieces[] = {
		{&headers[nth], sizeof(headers[nth]), false},
		{buffers[nth], (uint32_t)bytes, type == VIRTIO_BLK_T_IN},
		{&status[nth], 1, true},
	};

	headers[nth].type = type;
	queue_chain(&disk.queue, (uint16_t)(3 * nth), pieces, 3);
}

static void submit(struct bench *bench, unsigned int nth)
{
	headers[nth].sector = next_place(bench) * (bytes / SECTOR);
	queue_offer(&disk.queue, (uint16_t)(3 * nth));
}

/* 2.7.10: rings unless the device said that it looks anyway. */
static void ring(struct bench *bench, uint16_t before)
{
	struct queue *queue = &disk.queue;
	uint16_t now = *queue->avail_idx;
	bool wanted;

	if (now == before)
		return;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (disk.features & VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX))
		wanted = vring_need_event(*queue->avail_event, now, before);
	else
		wanted = !(*queue->used_flags & VRING_USED_F_NO_NOTIFY);
	if (!wanted)
		return;
	queue_kick(queue);
	bench->doorbells++;
}

/* Takes what is done; each place is filled again while @more. */
static void collect(struct bench *bench, bool more)
{
	uint16_t before = *disk.queue.avail_idx;
	struct vring_used_elem used;

	while (queue_used(&disk.queue, &used)) {
		bench->done++;
		bench->failed += status[used.id / 3] != VIRTIO_BLK_S_OK;
		if (more)
			submit(bench, used.id / 3);
	}
	ring(bench, before);
}

static void measure(struct bench *bench)
{
	uint64_t per_second = clock_ticks_per_second();
	uint64_t limit = duration_ms * (per_second / 1000), since, ticks;
	uint64_t sent;

	for (unsigned int i = 0; i < depth; i++)
		describe_request(i);
	since = clock_ticks();
	for (unsigned int i = 0; i < depth; i++)
		submit(bench, i);
	ring(bench, 0);
	while (clock_ticks() - since < limit)
		collect(bench, true);
	ticks = clock_ticks() - since;
	sent = bench->done;
	print("# blkbench %s %s bytes=%lu depth=%lu: %lu requests, "
	      "%lu doorbells, %lu us: %lu IOPS\n",
	      sequential ? "sequential" : "random",
	      type == VIRTIO_BLK_T_IN ? "read" : "write", bytes, depth, sent,
	      bench->doorbells, ticks / (per_second / 1000000),
	      sent * per_second / ticks);
	WAIT_UNTIL((collect(bench, false), bench->done == sent + depth), 10);
}

static void bench_main(void)
{
	struct bench bench = {.random = 88172645463325252};

	measure(&bench);
	test_report("blkbench", bench.failed  ? "requests failed"
				: !bench.done ? "no request was answered"
					      : NULL);
}

void guest_main(void)
{
	depth = option_number("depth", 1);
	bytes = option_number("bytes", 4096);
	duration_ms = option_number("ms", MS_DEFAULT);
	sequential = option_is("order", "sequential");
	type = option_is("op", "write") ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN;
	if (!depth || depth > DEPTH_MAX || !bytes || bytes > BYTES_MAX ||
	    bytes % SECTOR) {
		test_report("blkbench", "depth= or bytes= cannot be");
		return;
	}
	if (!blk_open(&disk, 0,
		      BLK_FEATURES | VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX)) ||
	    disk.queue.size < 3 * depth) {
		test_report("blkbench", "no disk, or not for this depth");
		return;
	}
	clock_calibrate();
	run_natively(bench_main);
}
