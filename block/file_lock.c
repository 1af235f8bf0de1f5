/* block/file_lock.c - see file_lock.h. */
#include "block/file_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>

#include "base/math.h"

#define LOCK_USED    100 /* + permission */
#define LOCK_REFUSED 200 /* + permission */

/* QEMU's permissions, as far as we use or refuse them. */
enum permission {
	PERMISSION_READ = 0,
	PERMISSION_WRITE = 1,
	PERMISSION_RESIZE = 3,
};

static const struct {
	enum permission permission;
	bool used_by_reader;
	bool refused; /* to others; by readers and writers alike */
	const char *used_text;
	const char *refused_text;
} rules[] = {
	{PERMISSION_READ, true, false, "\"consistent read\"", NULL},
	{PERMISSION_WRITE, false, true, "\"write\"", "shared \"write\""},
	{PERMISSION_RESIZE, false, true, "\"resize\"", "shared \"resize\""},
};

static int lock_byte(int fd, off_t byte)
{
	struct flock lock = {
		.l_type = F_RDLCK,
		.l_whence = SEEK_SET,
		.l_start = byte,
		.l_len = 1,
	};

	return fcntl(fd, F_OFD_SETLK, &lock) < 0 ? -errno : 0;
}

/* -EBUSY if anyone else holds a lock on the byte. */
static int lock_check(int fd, off_t byte)
{
	struct flock lock = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = byte,
		.l_len = 1,
	};

	if (fcntl(fd, F_OFD_GETLK, &lock) < 0)
		return -errno;
	return lock.l_type == F_UNLCK ? 0 : -EBUSY;
}

/* *ret_which: on failure, what could not be had, in QEMU's words. */
static int lock_all(int fd, bool read_only,
		    int (*act_on_used)(int fd, off_t byte), off_t used_base,
		    off_t refused_base, const char **ret_which)
{
	int ret = 0;

	for (size_t i = 0; i < ARRAY_LENGTH(rules) && !ret; i++) {
		*ret_which = rules[i].used_text;
		if (!read_only || rules[i].used_by_reader)
			ret = act_on_used(fd, used_base + rules[i].permission);
		if (ret || !rules[i].refused)
			continue;
		*ret_which = rules[i].refused_text;
		ret = act_on_used(fd, refused_base + rules[i].permission);
	}
	return ret;
}

int file_lock(int fd, const char *path, bool read_only, struct err *err)
{
	const char *which = "";
	int ret = lock_all(fd, read_only, lock_byte, LOCK_USED, LOCK_REFUSED,
			   &which);

	if (!ret)
		ret = lock_all(fd, read_only, lock_check, LOCK_REFUSED,
			       LOCK_USED, &which);
	if (ret == -EBUSY || ret == -EAGAIN || ret == -EACCES)
		return err_set(err, EBUSY,
			       "%s is in use by another program, or by this "
			       "one as another disk: Failed to get %s lock",
			       path, which);
	if (ret)
		return err_errno(err, -ret, "cannot lock %s", path);
	return 0;
}
