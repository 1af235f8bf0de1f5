/*
 * vmm/boot_bls.h - entries of the Boot Loader Specification (the UAPI Group's,
 * type 1: files in loader/entries), as Fedora and systemd-boot have them.
 *
 * Boot counting is left out, and unified kernel images are: they lie on vfat.
 * Pure.
 */
#ifndef VMM_BOOT_BLS_H
#define VMM_BOOT_BLS_H

#include <stdbool.h>

#include "vmm/boot_entry.h"

struct boot_bls {
	struct boot_entry entry;
	char name[BOOT_PATH_MAX]; /* the file's, without .conf */
	char sort_key[64];
	char machine_id[64];
	char version[128];
};

/*
 * Reads the text of the entry that is in file @name. Variables are replaced
 * as boot_words.h says, from @environment. False if it is unusable.
 */
bool boot_bls_parse(const char *text, const char *name, const char *environment,
		    struct boot_bls *ret_bls);

/* Negative: @a stands before @b in the menu; the first one is the default. */
int boot_bls_compare(const struct boot_bls *a, const struct boot_bls *b);

/* Does grubenv's saved_entry name it? Then it is the default. */
bool boot_bls_is_saved(const struct boot_bls *bls, const char *environment);

#endif
