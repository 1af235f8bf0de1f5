/*
 * vmm/boot_extlinux.c - see boot_extlinux.h. Two passes, as DEFAULT may come
 * after the label that it names.
 */
#include "vmm/boot_extlinux.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/math.h"
#include "vmm/boot_lines.h"

#define LABEL_MAX 256

static void set_label(char *label, const char *value)
{
	if (snprintf(label, LABEL_MAX, "%s", value) >= LABEL_MAX)
		*label = '\0';
}

static void find_default(const char *config, char *ret_label)
{
	char label[LABEL_MAX] = "";
	struct boot_line line;

	*ret_label = '\0';
	while (boot_lines_next(&config, &line)) {
		if (!strcasecmp(line.key, "label"))
			set_label(label, line.value);
		else if (!strcasecmp(line.key, "default"))
			set_label(ret_label, line.value);
		else if (!strcasecmp(line.key, "menu") &&
			 !strcasecmp(line.value, "default"))
			set_label(ret_label, label);
	}
}

/* SYSLINUX takes its initrds among the kernel's arguments, too. */
static void add_append(struct boot_entry *entry, const char *value)
{
	static const char initrd[] = "initrd=";
	char word[BOOT_LINE_MAX];

	while (*(value += strspn(value, " \t"))) {
		size_t length = strcspn(value, " \t");

		memcpy(word, value, length);
		word[length] = '\0';
		if (!strncmp(word, initrd, strlen(initrd)))
			boot_entry_add_initrds(entry, word + strlen(initrd),
					       ",");
		else
			boot_entry_add_arguments(entry, word);
		value += length;
	}
}

static bool is_kernel(const char *key)
{
	return !strcasecmp(key, "linux") || !strcasecmp(key, "kernel");
}

static void read_line(struct boot_entry *entry, const struct boot_line *line)
{
	if (is_kernel(line->key))
		boot_entry_set_kernel(entry, line->value);
	else if (!strcasecmp(line->key, "initrd"))
		boot_entry_add_initrds(entry, line->value, ", \t");
	else if (!strcasecmp(line->key, "append"))
		add_append(entry, line->value);
}

/* SYSLINUX' own modules (menu.c32, chain.c32) stand where kernels do. */
static bool is_usable(const struct boot_entry *entry)
{
	const char *suffix = strrchr(entry->kernel, '.');

	return boot_entry_is_usable(entry) &&
	       (!suffix || strcasecmp(suffix, ".c32"));
}

bool boot_extlinux_parse(const char *config, struct boot_entry *ret_entry)
{
	char wanted[LABEL_MAX], label[LABEL_MAX] = "";
	struct boot_entry entry = {0};
	struct boot_line line;
	bool more, found = false;

	*ret_entry = (struct boot_entry){0};
	find_default(config, wanted);
	do {
		more = boot_lines_next(&config, &line);
		if (more && strcasecmp(line.key, "label")) {
			read_line(&entry, &line);
			continue;
		}
		/* Here a label ends, and perhaps another begins. */
		if (is_usable(&entry) && (!found || !strcmp(label, wanted))) {
			*ret_entry = entry;
			found = true;
		}
		entry = (struct boot_entry){0};
		if (more)
			set_label(label, line.value);
	} while (more);
	return found;
}
