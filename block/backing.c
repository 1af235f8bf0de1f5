/*
 * block/backing.c - backing file names; see backing.h.
 *
 * An image from a stranger may name any file of the host, and a guest would
 * then read it (CVE-2015-5163, CVE-2024-32498). So a name with a protocol in
 * front is refused always, and under the default policy the file must really
 * lie, all symbolic links followed, in the folder of the image or below.
 */
#include "block/backing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "nbd:...", "json:...": what QEMU would not take for a file's name. */
static bool has_protocol(const char *name)
{
	return name[strcspn(name, ":/")] == ':';
}

/* The folder of @path, with its "/" at the end; "" for the working directory */
static int folder_length(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (int)(slash - path + 1) : 0;
}

/* Names are relative to the image, as its path was given. */
static char *join(const char *image, const char *name)
{
	char *path;

	if (name[0] == '/')
		return strdup(name);
	if (asprintf(&path, "%.*s%s", folder_length(image), image, name) < 0)
		return NULL;
	return path;
}

/* The folder of @path without symbolic links, or NULL and errno. */
static char *real_folder(const char *path)
{
	char *folder, *real;

	if (asprintf(&folder, "%.*s.", folder_length(path), path) < 0)
		return NULL;
	real = realpath(folder, NULL);
	free(folder);
	return real;
}

static bool is_below(const char *folder, const char *path)
{
	size_t length = strlen(folder);

	if (!strcmp(folder, "/"))
		return true;
	return !strncmp(path, folder, length) && path[length] == '/';
}

/* Replaces *path by what it really is, if that is near the image. */
static int require_near(const char *image, char **path, struct err *err)
{
	char *folder = real_folder(image);
	char *real = realpath(*path, NULL);
	int ret = 0;

	if (!folder || !real)
		ret = err_errno(err, errno,
				"cannot find %s, the backing file of %s", *path,
				image);
	else if (!is_below(folder, real))
		ret = err_set(err, EACCES,
			      "%s names the backing file %s, which is not in "
			      "its folder or below; \"backing=on\" would open "
			      "it",
			      image, real);
	free(folder);
	if (ret) {
		free(real);
		return ret;
	}
	free(*path);
	*path = real;
	return 0;
}

char *backing_path(const char *image, const char *name)
{
	return has_protocol(name) ? strdup(name) : join(image, name);
}

int backing_resolve(const struct image *image, enum block_backing policy,
		    char **ret_path, struct err *err)
{
	const char *name = image->backing_ref.name;
	char *path;
	int ret = 0;

	if (policy == BLOCK_BACKING_OFF)
		return err_set(err, EACCES,
			       "%s names the backing file %s, and "
			       "\"backing=off\" forbids to open it",
			       image->name, name);
	if (has_protocol(name))
		return err_set(err, EACCES,
			       "%s names the backing file %s, which is not a "
			       "plain file name",
			       image->name, name);
	path = join(image->name, name);
	if (!path)
		return err_set(err, ENOMEM, "out of memory");
	if (policy == BLOCK_BACKING_NEAR)
		ret = require_near(image->name, &path, err);
	if (ret) {
		free(path);
		return ret;
	}
	*ret_path = path;
	return 0;
}

int backing_format(const struct image *image, enum block_format *ret_format,
		   struct err *err)
{
	const char *format = image->backing_ref.format;
	const char *name = image->backing_ref.name;

	if (!strcmp(format, "qcow2"))
		*ret_format = BLOCK_QCOW2;
	else if (!strcmp(format, "raw"))
		*ret_format = BLOCK_RAW;
	else if (!format[0])
		return err_set(err, EINVAL,
			       "%s does not say of which format its backing "
			       "file %s is; \"qemu-img rebase -u -F FORMAT -b "
			       "%s %s\" writes it down",
			       image->name, name, name, image->name);
	else
		return err_set(err, ENOTSUP,
			       "the backing file %s of %s is of the format "
			       "\"%s\"; raw and qcow2 are known",
			       name, image->name, format);
	return 0;
}
