/* vmm/boot_entry.c - see boot_entry.h. */
#include "vmm/boot_entry.h"

#include <stdio.h>
#include <string.h>

bool boot_entry_is_usable(const struct boot_entry *entry)
{
	return *entry->kernel && !entry->does_not_fit;
}

static void copy_path(struct boot_entry *entry, char *to, const char *path,
		      size_t length)
{
	const char *end;

	if (*path == '(' && (end = memchr(path, ')', length))) {
		length -= (size_t)(end + 1 - path);
		path = end + 1;
	}
	if (length >= BOOT_PATH_MAX) {
		entry->does_not_fit = true;
		return;
	}
	memcpy(to, path, length);
	to[length] = '\0';
}

void boot_entry_set_kernel(struct boot_entry *entry, const char *path)
{
	copy_path(entry, entry->kernel, path, strlen(path));
}

static void add_initrd(struct boot_entry *entry, const char *path,
		       size_t length)
{
	if (entry->initrd_count == BOOT_INITRDS_MAX) {
		entry->does_not_fit = true;
		return;
	}
	copy_path(entry, entry->initrds[entry->initrd_count++], path, length);
}

void boot_entry_add_initrd(struct boot_entry *entry, const char *path)
{
	add_initrd(entry, path, strlen(path));
}

void boot_entry_add_initrds(struct boot_entry *entry, const char *text,
			    const char *separators)
{
	while (*(text += strspn(text, separators))) {
		size_t length = strcspn(text, separators);

		add_initrd(entry, text, length);
		text += length;
	}
}

static void append(struct boot_entry *entry, const char *quote,
		   const char *text)
{
	size_t used = strlen(entry->cmdline);
	size_t room = sizeof(entry->cmdline) - used;
	int needed = snprintf(entry->cmdline + used, room, "%s%s%s%s",
			      used ? " " : "", quote, text, quote);

	if ((size_t)needed >= room)
		entry->does_not_fit = true;
}

void boot_entry_add_arguments(struct boot_entry *entry, const char *text)
{
	if (*text)
		append(entry, "", text);
}

void boot_entry_add_argument(struct boot_entry *entry, const char *argument)
{
	append(entry, strpbrk(argument, " \t") ? "\"" : "", argument);
}
