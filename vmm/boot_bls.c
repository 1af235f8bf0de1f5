/* vmm/boot_bls.c - see boot_bls.h. */
#include "vmm/boot_bls.h"

#include <stdio.h>
#include <string.h>

#include "base/math.h"
#include "vmm/boot_lines.h"
#include "vmm/boot_version.h"
#include "vmm/boot_words.h"

/* Too long a text cannot be a name: it is left empty. */
static void set_text(char *to, size_t capacity, const char *value)
{
	if ((size_t)snprintf(to, capacity, "%s", value) >= capacity)
		*to = '\0';
}

static void set_key(struct boot_bls *bls, const char *key, const char *value)
{
	if (!strcmp(key, "linux"))
		boot_entry_set_kernel(&bls->entry, value);
	else if (!strcmp(key, "initrd"))
		boot_entry_add_initrds(&bls->entry, value, " \t");
	else if (!strcmp(key, "options"))
		boot_entry_add_arguments(&bls->entry, value);
	else if (!strcmp(key, "sort-key"))
		set_text(bls->sort_key, sizeof(bls->sort_key), value);
	else if (!strcmp(key, "machine-id"))
		set_text(bls->machine_id, sizeof(bls->machine_id), value);
	else if (!strcmp(key, "version"))
		set_text(bls->version, sizeof(bls->version), value);
}

static void set_name(struct boot_bls *bls, const char *name)
{
	char *suffix;

	set_text(bls->name, sizeof(bls->name), name);
	suffix = strrchr(bls->name, '.');
	if (suffix && !strcmp(suffix, ".conf"))
		*suffix = '\0';
}

bool boot_bls_parse(const char *text, const char *name, const char *environment,
		    struct boot_bls *ret_bls)
{
	char value[BOOT_LINE_MAX];
	struct boot_line line;

	*ret_bls = (struct boot_bls){0};
	set_name(ret_bls, name);
	while (boot_lines_next(&text, &line)) {
		boot_words_expand(line.value, environment, value,
				  sizeof(value));
		set_key(ret_bls, line.key, value);
	}
	return boot_entry_is_usable(&ret_bls->entry);
}

/* "Sorting" in the specification: newer versions first, names last of all. */
int boot_bls_compare(const struct boot_bls *a, const struct boot_bls *b)
{
	int order = !*a->sort_key - !*b->sort_key;

	if (!order && *a->sort_key) {
		order = strcmp(a->sort_key, b->sort_key);
		order = order ? order : strcmp(a->machine_id, b->machine_id);
		order = order ? order
			      : boot_version_compare(b->version, a->version);
	}
	return order ? order : boot_version_compare(b->name, a->name);
}

bool boot_bls_is_saved(const struct boot_bls *bls, const char *environment)
{
	char saved[BOOT_PATH_MAX];

	boot_words_expand("$saved_entry", environment, saved, sizeof(saved));
	return *saved && !strcmp(saved, bls->name);
}
