/*
 * vmm/boot_version.h - which of two versions is newer, by the rules of the
 * UAPI Group's Version Format Specification, which the Boot Loader
 * Specification refers to. Pure.
 */
#ifndef VMM_BOOT_VERSION_H
#define VMM_BOOT_VERSION_H

/* Negative, zero or positive: @a is older than, as old as, newer than @b. */
int boot_version_compare(const char *a, const char *b);

#endif
