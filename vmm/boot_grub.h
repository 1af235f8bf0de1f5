/*
 * vmm/boot_grub.h - what GRUB would start: grub.cfg as grub-mkconfig writes it
 * (Debian, Ubuntu, Arch, older Fedoras, and whoever else uses it).
 *
 * Conditions are not decided: of several `linux` lines in an entry the first
 * counts, and of several `initrd` lines too. Pure.
 */
#ifndef VMM_BOOT_GRUB_H
#define VMM_BOOT_GRUB_H

#include <stdbool.h>

#include "vmm/boot_entry.h"

/*
 * The default entry: the last `set default=` that is not empty says which, by
 * number, title or id, and through submenus with '>' between them. Where that
 * leads to nothing usable, the first usable entry. @environment is grubenv's
 * text, or "". False if there is none at all.
 */
bool boot_grub_parse(const char *config, const char *environment,
		     struct boot_entry *ret_entry);

#endif
