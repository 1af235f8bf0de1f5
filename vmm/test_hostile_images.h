/*
 * vmm/test_hostile_images.h - for vmm/hostile_test.c: the images that more than
 * a few wrong bytes make.
 */
#ifndef VMM_TEST_HOSTILE_IMAGES_H
#define VMM_TEST_HOSTILE_IMAGES_H

#include "vmm/test_hostile.h"

static inline void save(struct file *file)
{
	CHECK(test_file_save(file, "image"));
	file_close(file);
}

static inline void make_short(uint64_t size)
{
	struct file *file = hostile_image();

	CHECK(!file_truncate(file, size));
	save(file);
}

static inline void make_short_v2(void)
{
	make_short(60);
}

static inline void make_short_v3(void)
{
	make_short(90);
}

static inline void make_raw(void)
{
	CHECK(!test_shell("head -c 100000 /dev/zero | tr '\\0' x >image"));
}

/* Instead of the names of features. @format may be empty: not stated. */
static inline void make_backed(const char *name, size_t length,
			       const char *format)
{
	static const uint8_t zeroes[400];
	struct file *file = hostile_image();

	file_write(file, zeroes, sizeof(zeroes), 112);
	if (*format) {
		hostile_put(file, 112, 4, QCOW2_EXTENSION_BACKING_FORMAT);
		hostile_put(file, 116, 4, strlen(format));
		file_write(file, format, strlen(format), 120);
	}
	hostile_put(file, 8, 8, 1024);
	hostile_put(file, 16, 4, length);
	file_write(file, name, length, 1024);
	save(file);
}

#define BACKED(function, name, format)                       \
	static inline void function(void)                    \
	{                                                    \
		make_backed(name, sizeof(name) - 1, format); \
	}

BACKED(make_json, "json:{\"driver\":\"raw\",\"file\":\"../secret\"}", "raw")
BACKED(make_nbd, "nbd:127.0.0.1:10809", "raw")
BACKED(make_file, "file:../secret", "raw")
BACKED(make_vvfat, "fat:..", "raw")
BACKED(make_outside, "../secret", "raw")
BACKED(make_link, "link", "raw")
BACKED(make_device, "/dev/zero", "raw")
BACKED(make_formatless, "near", "")
BACKED(make_vmdk, "near", "vmdk")
BACKED(make_zero_byte, "ne\0ar", "raw")
BACKED(make_fifo, "fifo", "raw")
BACKED(make_folder, "folder", "raw")
BACKED(make_missing, "missing", "raw")
BACKED(make_itself, "image", "qcow2")

static inline void make_long_name(void)
{
	char name[1024];

	memset(name, 'x', sizeof(name));
	make_backed(name, sizeof(name), "raw");
}

static inline void make_loop(void)
{
	make_backed("image", 5, "qcow2");
	CHECK(!rename("image", "other"));
	make_backed("other", 5, "qcow2");
}

/* image, 1, 2 ... 16: one more than there may be. */
static inline void make_deep(void)
{
	char name[16];

	for (unsigned int i = 17; i-- > 0;) {
		snprintf(name, sizeof(name), "%u", i + 1);
		make_backed(name, strlen(name), "qcow2");
		snprintf(name, sizeof(name), "%u", i);
		if (i)
			CHECK(!rename("image", name));
	}
}

/* Its contents are in a file that it calls "../secret". */
static inline void make_data_file(void)
{
	struct file *file = hostile_image();

	hostile_put(file, 72, 8, QCOW2_DATA_FILE);
	hostile_put(file, 112, 4, QCOW2_EXTENSION_DATA_FILE);
	hostile_put(file, 116, 4, 9);
	file_write(file, "../secret\0\0\0\0\0\0\0", 16, 120);
	hostile_put(file, 136, 8, 0);
	save(file);
}

/* A cluster whose bytes inflate to more than it has room for: that is fine. */
static inline void make_bomb(void)
{
	struct file *file = hostile_image();
	uint8_t *zeroes = calloc(1, 64 * MIB), *packed = malloc(MIB);
	size_t length = 0;

	CHECK(!qcow2_compress(QCOW2_DEFLATE, zeroes, 64 * MIB, packed,
			      &length));
	length = min_u64(length, 4096);
	file_write(file, packed, length, 0x5000);
	/* 8 sectors at 0x5000, all of the cluster. */
	hostile_put(file, 0x4000, 8,
		    QCOW2_COMPRESSED_FLAG | 7ULL << 58 | 0x5000);
	free(zeroes);
	free(packed);
	save(file);
}

/* A snapshot table in guest cluster 1, with one entry. */
static inline void make_snapshot(uint64_t l1_offset, uint64_t l1_size,
				 uint64_t extra)
{
	static const uint8_t zeroes[4096];
	struct file *file = hostile_image();

	file_write(file, zeroes, sizeof(zeroes), 0x6000);
	hostile_put(file, 60, 4, 1);
	hostile_put(file, 64, 8, 0x6000);
	hostile_put(file, 0x6000, 8, l1_offset);
	hostile_put(file, 0x6008, 4, l1_size);
	hostile_put(file, 0x6024, 4, extra);
	save(file);
}

static inline void make_snapshot_past_end(void)
{
	make_snapshot(0x900000, 1, 16);
}

static inline void make_snapshot_unaligned(void)
{
	make_snapshot(0x3008, 1, 16);
}

static inline void make_snapshot_of_gibs(void)
{
	make_snapshot(0x3000, UINT32_MAX, 16);
}

static inline void make_snapshot_extra(void)
{
	make_snapshot(0x3000, 1, 4096);
}

/* Bitmaps: @count of them in a directory of @size bytes at @offset. */
static inline void make_bitmaps(uint64_t count, uint64_t size, uint64_t offset)
{
	struct file *file = hostile_image();

	hostile_put(file, 88, 8, QCOW2_BITMAPS);
	hostile_put(file, 112, 4, QCOW2_EXTENSION_BITMAPS);
	hostile_put(file, 116, 4, 24);
	hostile_put(file, 120, 8, count << 32);
	hostile_put(file, 128, 8, size);
	hostile_put(file, 136, 8, offset);
	hostile_put(file, 144, 8, 0);
	save(file);
}

static inline void make_bitmaps_past_end(void)
{
	make_bitmaps(1, 4096, 0x900000);
}

static inline void make_bitmaps_many(void)
{
	make_bitmaps(UINT32_MAX, 4096, 0x5000);
}

static inline void make_bitmaps_large(void)
{
	make_bitmaps(1, UINT64_MAX, 0x5000);
}

/* Extensions of no length, as far as the first cluster goes. */
static inline void make_extensions(void)
{
	struct file *file = hostile_file("image", 5 << 21);
	uint8_t *area = malloc(1 << 21);
	struct file *plain = hostile_image();

	for (uint64_t i = 0; i < 1 << 21; i += 8)
		memcpy(area + i, "name\0\0\0\0", 8);
	memcpy(area, file_memory_data(plain), 112);
	file_write(file, area, 1 << 21, 0);
	hostile_put(file, 20, 4, 21);
	hostile_put(file, 40, 8, 3 << 21);
	hostile_put(file, 48, 8, 1 << 21);
	hostile_put(file, 8, 8, (1 << 21) - 8);
	hostile_put(file, 16, 4, 4);
	free(area);
	file_close(plain);
	file_close(file);
}

#endif
