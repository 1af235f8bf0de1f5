/* arch/x86_64/aml.c - see aml.h. Numbers in comments are ACPI 6.4 sections. */
#include "arch/x86_64/aml.h"

#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "base/math.h"

enum aml_op {
	AML_NAME = 0x08,
	AML_BYTE = 0x0a,
	AML_WORD = 0x0b,
	AML_DWORD = 0x0c,
	AML_STRING = 0x0d,
	AML_SCOPE = 0x10,
	AML_BUFFER = 0x11,
	AML_PACKAGE = 0x12,
	AML_METHOD = 0x14,
	AML_EXTENDED = 0x5b,
	AML_NOTIFY = 0x86,
	AML_EXTENDED_DEVICE = 0x82,
};

/*
 * PkgLength (20.2.4) always takes the form with two further bytes, so that
 * its own size does not depend on what it counts.
 */
#define PKG_LENGTH_SIZE 3
#define PKG_LENGTH_FORM (2 << 6)

static void put(struct aml *aml, const void *data, size_t length)
{
	if (!range_fits(aml->used, length, aml->size)) {
		aml->overflow = true;
		return;
	}
	memcpy(aml->bytes + aml->used, data, length);
	aml->used += length;
}

static void put_byte(struct aml *aml, uint8_t byte)
{
	put(aml, &byte, 1);
}

static void put_word(struct aml *aml, uint16_t word)
{
	le16 value = le16_make(word);

	put(aml, &value, sizeof(value));
}

static void put_dword(struct aml *aml, uint32_t dword)
{
	le32 value = le32_make(dword);

	put(aml, &value, sizeof(value));
}

/* NameString (20.2.2): an optional root, then one or two segments. */
static void put_path(struct aml *aml, const char *path)
{
	static const uint8_t dual_prefix = 0x2e;

	if (*path == '\\')
		put(aml, path++, 1);
	if (strlen(path) > 4) {
		put(aml, &dual_prefix, 1);
		put(aml, path, 4);
		path += 5; /* over the dot */
	}
	put(aml, path, 4);
}

static size_t length_begin(struct aml *aml)
{
	static const uint8_t room[PKG_LENGTH_SIZE];
	size_t begin = aml->used;

	put(aml, room, sizeof(room));
	return begin;
}

void aml_end(struct aml *aml, size_t begin)
{
	size_t length = aml->used - begin;

	if (aml->overflow || length >= 1 << 20) {
		aml->overflow = true;
		return;
	}
	aml->bytes[begin] = (uint8_t)(PKG_LENGTH_FORM | (length & 0xf));
	aml->bytes[begin + 1] = (uint8_t)(length >> 4);
	aml->bytes[begin + 2] = (uint8_t)(length >> 12);
}

size_t aml_scope_begin(struct aml *aml, const char *path)
{
	size_t begin;

	put_byte(aml, AML_SCOPE);
	begin = length_begin(aml);
	put_path(aml, path);
	return begin;
}

size_t aml_device_begin(struct aml *aml, const char *name)
{
	size_t begin;

	put_byte(aml, AML_EXTENDED);
	put_byte(aml, AML_EXTENDED_DEVICE);
	begin = length_begin(aml);
	put_path(aml, name);
	return begin;
}

size_t aml_method_begin(struct aml *aml, const char *name,
			unsigned int arguments)
{
	static const uint8_t serialized = 1 << 3;
	size_t begin;

	put_byte(aml, AML_METHOD);
	begin = length_begin(aml);
	put_path(aml, name);
	put_byte(aml, (uint8_t)(arguments | serialized));
	return begin;
}

static void put_name(struct aml *aml, const char *name)
{
	put_byte(aml, AML_NAME);
	put_path(aml, name);
}

/* A buffer's size is an integer before its bytes; it is filled in later. */
size_t aml_resources_begin(struct aml *aml, const char *name)
{
	size_t begin;

	put_name(aml, name);
	put_byte(aml, AML_BUFFER);
	begin = length_begin(aml);
	put_byte(aml, AML_WORD);
	put_word(aml, 0);
	return begin;
}

void aml_resources_end(struct aml *aml, size_t begin)
{
	size_t size_at = begin + PKG_LENGTH_SIZE + 1;
	size_t size;

	put_byte(aml, 0x79); /* end tag (6.4.2.9), */
	put_byte(aml, 0);    /* whose checksum 0 means: not checked */
	aml_end(aml, begin);
	if (aml->overflow)
		return;
	size = aml->used - size_at - 2;
	aml->bytes[size_at] = (uint8_t)size;
	aml->bytes[size_at + 1] = (uint8_t)(size >> 8);
}

void aml_name_integer(struct aml *aml, const char *name, uint32_t value)
{
	put_name(aml, name);
	put_byte(aml, AML_DWORD);
	put_dword(aml, value);
}

void aml_name_string(struct aml *aml, const char *name, const char *value)
{
	put_name(aml, name);
	put_byte(aml, AML_STRING);
	put(aml, value, strlen(value) + 1);
}

void aml_name_eisa_id(struct aml *aml, const char *name, const char *id)
{
	/* 6.1.5: three letters of five bits, then the digits, big-endian */
	uint32_t packed = (uint32_t)(id[0] - '@') << 26 |
			  (uint32_t)(id[1] - '@') << 21 |
			  (uint32_t)(id[2] - '@') << 16 |
			  (uint32_t)strtoul(id + 3, NULL, 16);
	be32 value = be32_make(packed);

	put_name(aml, name);
	put_byte(aml, AML_DWORD);
	put(aml, &value, sizeof(value));
}

void aml_name_package(struct aml *aml, const char *name, const uint8_t *values,
		      uint8_t count)
{
	size_t begin;

	put_name(aml, name);
	put_byte(aml, AML_PACKAGE);
	begin = length_begin(aml);
	put_byte(aml, count);
	for (unsigned int i = 0; i < count; i++) {
		put_byte(aml, AML_BYTE);
		put_byte(aml, values[i]);
	}
	aml_end(aml, begin);
}

void aml_notify(struct aml *aml, const char *path, uint8_t value)
{
	put_byte(aml, AML_NOTIFY);
	put_path(aml, path);
	put_byte(aml, AML_BYTE);
	put_byte(aml, value);
}

void aml_resource_memory(struct aml *aml, uint32_t base, uint32_t size)
{
	put_byte(aml, 0x86); /* 32-bit fixed memory range (6.4.3.4) */
	put_word(aml, 9);
	put_byte(aml, 1); /* writable */
	put_dword(aml, base);
	put_dword(aml, size);
}

void aml_resource_ports(struct aml *aml, uint16_t base, uint8_t size)
{
	put_byte(aml, 0x47); /* I/O port (6.4.2.5) */
	put_byte(aml, 1);    /* 16-bit decode */
	put_word(aml, base);
	put_word(aml, base);
	put_byte(aml, 1); /* alignment */
	put_byte(aml, size);
}

void aml_resource_interrupt(struct aml *aml, uint32_t gsi)
{
	put_byte(aml, 0x89); /* extended interrupt (6.4.3.6) */
	put_word(aml, 6);
	put_byte(aml, 0x03); /* consumer, edge, active high, exclusive */
	put_byte(aml, 1);    /* one interrupt */
	put_dword(aml, gsi);
}
