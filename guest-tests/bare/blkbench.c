/*
 * How many requests a disk answers in a second, seen from a guest that does
 * nothing else: it keeps depth= requests of bytes= under way in each of
 * queues= queues for ms=, each at a random place, or one behind the other with
 * order=sequential; reads, or writes with op=write. Answers are polled for;
 * doorbells are rung only when the device asks for them (EVENT_IDX), as a
 * kernel would.
 *
 * Prints "# blkbench begins", "# blkbench ... IOPS" and a result. The disk's
 * content is lost with op=write.
 */
#include "runtime/blk.h"
#include "runtime/cpu.h"
#include "runtime/machine.h"
#include "runtime/print.h"
#include "runtime/test.h"

#define QUEUES_MAX 4
#define DEPTH_MAX  128 /* of all queues together */
#define BYTES_MAX  65536
#define MS_DEFAULT 2000
#define FEATURES                                              \
	(BLK_FEATURES | VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX) | \
	 VIRTIO_BIT(VIRTIO_F_VERSION_1))

/* A queue and the first of its requests. */
struct lane {
	struct queue queue;
	uint64_t first;
};

static struct virtio device;
static struct lane lanes[QUEUES_MAX];
static struct virtio_blk_outhdr headers[DEPTH_MAX];
static volatile uint8_t status[DEPTH_MAX];
static uint64_t features, sectors;
static uint64_t queues, depth, bytes, duration_ms;
static bool sequential;
static uint32_t type;

UNCLEARED static struct queue_rings rings[QUEUES_MAX];
UNCLEARED static uint8_t buffers[DEPTH_MAX][BYTES_MAX];

struct bench {
	uint64_t random; /* a xorshift generator's state */
	uint64_t place;	 /* of the next request, in units of bytes */
	uint64_t done, failed, doorbells;
};

static uint64_t next_place(struct bench *bench)
{
	uint64_t places = sectors * SECTOR / bytes;

	if (sequential)
		return bench->place++ % places;
	bench->random ^= bench->random << 13;
	bench->random ^= bench->random >> 7;
	bench->random ^= bench->random << 17;
	return bench->random % places;
}

static void describe_request(struct lane *lane, unsigned int nth)
{
	uint64_t request = lane->first + nth;
	const struct piece pieces[] = {
		{&headers[request], sizeof(headers[request]), false},
		{buffers[request], (uint32_t)bytes, type == VIRTIO_BLK_T_IN},
		{&status[request], 1, true},
	};

	headers[request].type = type;
	queue_chain(&lane->queue, (uint16_t)(3 * nth), pieces, 3);
}

static void submit(struct bench *bench, struct lane *lane, unsigned int nth)
{
	headers[lane->first + nth].sector = next_place(bench) *
					    (bytes / SECTOR);
	queue_offer(&lane->queue, (uint16_t)(3 * nth));
}

/* 2.7.10: rings unless the device said that it looks anyway. */
static void ring(struct bench *bench, struct queue *queue, uint16_t before)
{
	uint16_t now = *queue->avail_idx;
	bool wanted;

	if (now == before)
		return;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (features & VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX))
		wanted = vring_need_event(*queue->avail_event, now, before);
	else
		wanted = !(*queue->used_flags & VRING_USED_F_NO_NOTIFY);
	if (!wanted)
		return;
	queue_kick(queue);
	bench->doorbells++;
}

/* Takes what is done in a queue; each place is filled again while @more. */
static void collect(struct bench *bench, struct lane *lane, bool more)
{
	uint16_t before = *lane->queue.avail_idx;
	struct vring_used_elem used;

	while (queue_used(&lane->queue, &used)) {
		unsigned int nth = used.id / 3;

		bench->done++;
		bench->failed += status[lane->first + nth] != VIRTIO_BLK_S_OK;
		if (more)
			submit(bench, lane, nth);
	}
	ring(bench, &lane->queue, before);
}

static void collect_all(struct bench *bench, bool more)
{
	for (unsigned int i = 0; i < queues; i++)
		collect(bench, &lanes[i], more);
}

static void fill(struct bench *bench, struct lane *lane)
{
	for (unsigned int i = 0; i < depth; i++)
		submit(bench, lane, i);
	ring(bench, &lane->queue, 0);
}

static void measure(struct bench *bench)
{
	uint64_t per_second = clock_ticks_per_second();
	uint64_t limit = duration_ms * (per_second / 1000), since, ticks;
	uint64_t sent;

	for (unsigned int i = 0; i < queues; i++)
		for (unsigned int j = 0; j < depth; j++)
			describe_request(&lanes[i], j);
	print("# blkbench begins\n");
	since = clock_ticks();
	for (unsigned int i = 0; i < queues; i++)
		fill(bench, &lanes[i]);
	while (clock_ticks() - since < limit)
		collect_all(bench, true);
	ticks = clock_ticks() - since;
	sent = bench->done;
	print("# blkbench %s %s bytes=%lu depth=%lu queues=%lu: %lu requests, "
	      "%lu doorbells, %lu us: %lu IOPS\n",
	      sequential ? "sequential" : "random",
	      type == VIRTIO_BLK_T_IN ? "read" : "write", bytes, depth, queues,
	      sent, bench->doorbells, ticks / (per_second / 1000000),
	      sent * per_second / ticks);
	WAIT_UNTIL((collect_all(bench, false),
		    bench->done == sent + depth * queues),
		   10);
}

static void bench_main(void)
{
	struct bench bench = {.random = 88172645463325252};

	measure(&bench);
	test_report("blkbench", bench.failed  ? "requests failed"
				: !bench.done ? "no request was answered"
					      : NULL);
}

/* Starts the device with all the queues (3.1.1, 5.2.5). */
static bool open_disk(void)
{
	bool large_enough = true;

	if (!virtio_find(VIRTIO_ID_BLOCK, 0, &device))
		return false;
	features = FEATURES & virtio_offered(&device);
	if (!virtio_negotiate(&device, features))
		return false;
	sectors = virtio_config64(&device,
				  offsetof(struct virtio_blk_config, capacity));
	for (unsigned int i = 0; i < queues; i++) {
		queue_init(&lanes[i].queue, &device, i, 0, &rings[i]);
		lanes[i].first = i * depth;
		large_enough &= lanes[i].queue.size >= 3 * depth;
	}
	virtio_status_add(&device, VIRTIO_CONFIG_S_DRIVER_OK);
	return large_enough;
}

void guest_main(void)
{
	queues = option_number("queues", 1);
	depth = option_number("depth", 1);
	bytes = option_number("bytes", 4096);
	duration_ms = option_number("ms", MS_DEFAULT);
	sequential = option_is("order", "sequential");
	type = option_is("op", "write") ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN;
	if (!queues || queues > QUEUES_MAX || !depth ||
	    depth > DEPTH_MAX / queues || !bytes || bytes > BYTES_MAX ||
	    bytes % SECTOR) {
		test_report("blkbench", "queues=, depth= or bytes= cannot be");
		return;
	}
	if (!open_disk()) {
		test_report("blkbench", "no disk, or not for this depth");
		return;
	}
	clock_calibrate();
	run_natively(bench_main);
}
