/* block/img_create_options.c - reading and printing; see img_create.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/math.h"
#include "base/parse.h"
#include "block/img_command.h"
#include "block/img_create.h"
#include "block/img_size.h"
#include "block/qcow2_compress.h"

enum kind { KIND_TEXT, KIND_SIZE, KIND_NUMBER, KIND_SWITCH };

/* In the order in which the help lists them. */
static const struct key {
	const char *name;
	enum kind kind;
	size_t field;
	bool for_raw;
	const char *help;
} keys[] = {
#define FIELD(name) offsetof(struct img_create, name)
	{"backing_file", KIND_TEXT, FIELD(backing), false,
	 "File name of a base image"},
	{"backing_fmt", KIND_TEXT, FIELD(backing_format), false,
	 "Image format of the base image"},
	{"cluster_size", KIND_SIZE, FIELD(cluster_size), false,
	 "qcow2 cluster size"},
	{"compat", KIND_TEXT, FIELD(compat), false,
	 "Compatibility level (v2 [0.10] or v3 [1.1])"},
	{"compression_type", KIND_TEXT, FIELD(compression), false,
	 "Compression method (zlib or zstd)"},
	{"data_file", KIND_TEXT, FIELD(data_file), false,
	 "File name of an external data file"},
	{"data_file_raw", KIND_SWITCH, FIELD(data_file_raw), false,
	 "The external data file must stay valid as a raw image"},
	{"extended_l2", KIND_SWITCH, FIELD(extended_l2), false,
	 "Extended L2 tables"},
	{"lazy_refcounts", KIND_SWITCH, FIELD(lazy_refcounts), false,
	 "Postpone refcount updates"},
	{"preallocation", KIND_TEXT, FIELD(preallocation), true,
	 "Preallocation mode (off, metadata, falloc, full)"},
	{"refcount_bits", KIND_NUMBER, FIELD(refcount_bits), false,
	 "Width of a reference count entry in bits"},
	{"size", KIND_SIZE, FIELD(size), true, "Virtual disk size"},
#undef FIELD
};

static bool is_key_of(const struct key *key, enum block_format format)
{
	return format == BLOCK_QCOW2 || key->for_raw;
}

static const struct key *find_key(const char *name, enum block_format format)
{
	for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
		if (is_key_of(&keys[i], format) && !strcmp(keys[i].name, name))
			return &keys[i];
	return NULL;
}

static int unknown_key(const char *name, enum block_format format,
		       struct err *err)
{
	const char *words[ARRAY_LENGTH(keys) + 1] = {NULL}, *near;
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
		if (is_key_of(&keys[i], format))
			words[count++] = keys[i].name;
	near = parse_nearest(name, words);
	if (near)
		return err_set(err, EINVAL,
			       "Invalid parameter '%s'; did you mean %s?", name,
			       near);
	return err_set(err, EINVAL, "Invalid parameter '%s'", name);
}

static int set_text(char **field, const char *value, struct err *err)
{
	free(*field);
	*field = strdup(value);
	return *field ? 0 : err_set(err, ENOMEM, "out of memory");
}

static int set_switch(const char *name, bool *field, const char *value,
		      struct err *err)
{
	*field = !strcmp(value, "on");
	if (!*field && strcmp(value, "off"))
		return err_set(err, EINVAL,
			       "Parameter '%s' expects 'on' or 'off'", name);
	return 0;
}

static int set_key(struct img_create *create, const struct key *key,
		   const char *value, struct err *err)
{
	void *field = (char *)create + key->field;

	if (field == &create->size)
		create->has_size = true;
	create->said |= 1U << (key - keys);
	switch (key->kind) {
	case KIND_TEXT:
		return set_text(field, value, err);
	case KIND_SWITCH:
		return set_switch(key->name, field, value, err);
	case KIND_NUMBER:
		if (parse_number(value, UINT32_MAX, field))
			return 0;
		return err_set(err, EINVAL, "Parameter '%s' expects a number",
			       key->name);
	default:
		if (img_size_parse(value, field))
			return 0;
		return err_set(err, EINVAL,
			       "Parameter '%s' expects a non-negative number "
			       "below 2^64\nOptional suffix k, M, G, T, P or E "
			       "means kilo-, mega-, giga-, tera-, peta-\nand "
			       "exabytes, respectively.",
			       key->name);
	}
}

/*
 * Cuts the next "key=value" off *text, with its commas resolved; what follows
 * it is *text then. A key alone is "key=on".
 */
static void cut_pair(char **text, char **ret_name, const char **ret_value)
{
	char *from = *text, *to = *text, *equals;

	*ret_name = *text;
	for (; *from && (*from != ',' || from[1] == ','); from++) {
		if (*from == ',')
			from++;
		*to++ = *from;
	}
	*text = *from ? from + 1 : from;
	*to = '\0';
	equals = strchr(*ret_name, '=');
	*ret_value = equals ? equals + 1 : "on";
	if (equals)
		*equals = '\0';
}

static int parse_all(struct img_create *create, char *text, struct err *err)
{
	const struct key *key;
	const char *value;
	char *name;
	int ret;

	while (*text) {
		cut_pair(&text, &name, &value);
		key = find_key(name, create->format);
		if (!key)
			return unknown_key(name, create->format, err);
		ret = set_key(create, key, value, err);
		if (ret)
			return ret;
	}
	return 0;
}

int img_create_init(struct img_create *create, const char *path,
		    enum block_format format, const char *options,
		    struct err *err)
{
	char *text;
	int ret;

	*create = (struct img_create){
		.path = path,
		.format = format,
		.cluster_size = 64 * KIB,
		.refcount_bits = 16,
	};
	if (!options)
		return 0;
	text = strdup(options);
	if (!text)
		return err_set(err, ENOMEM, "out of memory");
	ret = parse_all(create, text, err);
	free(text);
	return ret;
}

bool img_create_said(const struct img_create *create, const char *key)
{
	const struct key *found = find_key(key, create->format);

	return found && create->said & 1U << (found - keys);
}

void img_create_choose(struct img_create *create, bool compress)
{
	bool is_old = create->compat && (!strcmp(create->compat, "0.10") ||
					 !strcmp(create->compat, "v2"));

	if (create->format != BLOCK_QCOW2 || is_old || img_is_qemu_img())
		return;
	if (create->backing && !img_create_said(create, "extended_l2"))
		create->extended_l2 = create->cluster_size >=
				      1U << QCOW2_CLUSTER_BITS_MIN_EXTENDED;
	/* Without memory for the word it is the other one. */
	if (compress && !create->compression && qcow2_can_compress(QCOW2_ZSTD))
		create->compression = strdup("zstd");
}

void img_create_fini(struct img_create *create)
{
	for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
		if (keys[i].kind == KIND_TEXT)
			free(*(char **)((char *)create + keys[i].field));
	*create = (struct img_create){0};
}

bool img_create_wants_help(const char *options)
{
	return options && (!strcmp(options, "help") || !strcmp(options, "?"));
}

static void print_key(const struct key *key)
{
	static const char *const values[] = {
		[KIND_TEXT] = "<str>",
		[KIND_SIZE] = "<size>",
		[KIND_NUMBER] = "<num>",
		[KIND_SWITCH] = "<bool (on/off)>",
	};
	int width;

	width = printf("  %s=%s", key->name, values[key->kind]);
	printf("%*s- %s\n", width < 25 ? 25 - width : 1, "", key->help);
}

void img_create_print_help(enum block_format format)
{
	printf("Supported %s options:\n",
	       format == BLOCK_QCOW2 ? "qcow2" : "raw");
	for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
		if (is_key_of(&keys[i], format))
			print_key(&keys[i]);
}

void img_create_print_amend_help(void)
{
	static const char *const names[] = {"compat", "lazy_refcounts",
					    "refcount_bits", "size"};

	printf("Amend options for 'qcow2':\n");
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
		print_key(find_key(names[i], BLOCK_QCOW2));
}

/* "name=value", a comma in which is doubled. */
static void print_text(const char *name, const char *value)
{
	if (!value)
		return;
	printf(" %s=", name);
	for (; *value; value++)
		printf(*value == ',' ? ",," : "%c", *value);
}

static const char *on_or_off(bool value)
{
	return value ? "on" : "off";
}

void img_create_print(const struct img_create *create)
{
	bool qcow2 = create->format == BLOCK_QCOW2;

	printf("Formatting '%s', fmt=%s", create->path,
	       qcow2 ? "qcow2" : "raw");
	if (qcow2) {
		printf(" cluster_size=%" PRIu64 " extended_l2=%s",
		       create->cluster_size, on_or_off(create->extended_l2));
		print_text("preallocation", create->preallocation);
		print_text("compression_type",
			   create->compression ? create->compression : "zlib");
	}
	printf(" size=%" PRIu64, create->size);
	if (qcow2) {
		print_text("compat", create->compat);
		print_text("backing_file", create->backing);
		print_text("backing_fmt", create->backing_format);
		print_text("data_file", create->data_file);
		if (create->data_file_raw)
			printf(" data_file_raw=on");
		printf(" lazy_refcounts=%s refcount_bits=%" PRIu64,
		       on_or_off(create->lazy_refcounts),
		       create->refcount_bits);
	} else {
		print_text("preallocation", create->preallocation);
	}
	printf("\n");
}
