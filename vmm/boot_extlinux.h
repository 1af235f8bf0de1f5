/*
 * vmm/boot_extlinux.h - what extlinux or syslinux would start (Alpine), and
 * U-Boot, which reads the same file (arm images). INCLUDE is not followed.
 * Pure.
 */
#ifndef VMM_BOOT_EXTLINUX_H
#define VMM_BOOT_EXTLINUX_H

#include <stdbool.h>

#include "vmm/boot_entry.h"

/*
 * The label that DEFAULT or MENU DEFAULT names, or else the first usable one.
 * Paths may be relative to the directory of the configuration. False if there
 * is no usable label.
 */
bool boot_extlinux_parse(const char *config, struct boot_entry *ret_entry);

#endif
