/*
 * vmm/image_boot.h - kernel, initial ramdisks and command line from inside a
 * disk image, so that `alcor run IMAGE` boots what a boot loader would.
 *
 * docs/booting.md says where it looks, and in which order. Everything read
 * comes from the image and may be hostile; nothing is written. On main.
 */
#ifndef VMM_IMAGE_BOOT_H
#define VMM_IMAGE_BOOT_H

#include "base/err.h"
#include "base/fd.h"
#include "vmm/disk_view.h"

struct image_boot {
	struct fd_map kernel;
	struct fd_map initrd; /* of size 0: there is none */
	char *cmdline;	      /* has a console=ttyS0 */
	char *kernel_path;    /* for messages: "disk.qcow2:/boot/vmlinuz" */
	char *initrd_path;
};

/*
 * Looks through all file systems of the disk; @name is the image's, for
 * messages. Warns where something of what it found could not be used, so that
 * it took another. -ENOENT, with a sentence that says what was found instead,
 * if there is no kernel. image_boot_close() is due after success only.
 */
int image_boot_open(const struct disk_view *disk, const char *name,
		    struct image_boot *ret_boot, struct err *err);
void image_boot_close(struct image_boot *boot);

#endif
