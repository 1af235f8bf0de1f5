/* vmm/boot_names.c - see boot_names.h. */
#include "vmm/boot_names.h"

#include <stdio.h>
#include <string.h>

#include "base/math.h"
#include "vmm/boot_version.h"

const char *boot_names_version(const char *name)
{
	static const char prefix[] = "vmlinuz-";

	if (strncmp(name, prefix, strlen(prefix)) || !name[strlen(prefix)])
		return NULL;
	return name + strlen(prefix);
}

/* Copies that tools leave behind, and Fedora's kernel for emergencies. */
static bool is_second_best(const char *version)
{
	const char *suffix = strrchr(version, '.');

	return (suffix &&
		(!strcmp(suffix, ".old") || !strcmp(suffix, ".bak"))) ||
	       strstr(version, "rescue");
}

void boot_names_offer(struct boot_names *names, const char *name)
{
	const char *version = boot_names_version(name);
	const char *newest = boot_names_version(names->newest);

	if (!version || is_second_best(version) ||
	    strlen(name) >= sizeof(names->newest) ||
	    (newest && boot_version_compare(version, newest) <= 0))
		return;
	strcpy(names->newest, name);
}

bool boot_names_initrd(const char *version, unsigned int index,
		       char ret_name[BOOT_PATH_MAX])
{
	static const struct {
		const char *prefix, *suffix;
	} forms[] = {
		{"initrd.img-", ""},	/* Debian, Ubuntu */
		{"initramfs-", ".img"}, /* Fedora, Arch */
		{"initramfs-", ""},	/* Alpine */
		{"initrd-", ""},	/* openSUSE */
	};

	if (index >= ARRAY_LENGTH(forms))
		return false;
	snprintf(ret_name, BOOT_PATH_MAX, "%s%s%s", forms[index].prefix,
		 version, forms[index].suffix);
	return true;
}
