/* block/img_io_open.c - opening, closing and reopening; see img_io.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "block/img_command.h"
#include "block/img_io.h"
#include "block/img_runtime.h"
#include "block/qcow2_describe.h"

int io_open(struct io *io)
{
	struct err err;
	int ret;

	io->how.path = io->path;
	io->how.typed = true;
	io->how.options = io->options;
	io->how.plain = true;
	io->how.explicit_zeroes = true;
	ret = img_disk_open(&io->disk, &io->how, &err);
	if (ret && io->path)
		img_error("can't open device %s: %s", io->path, err.text);
	else if (ret)
		img_error("can't open: %s", err.text);
	io->is_open = !ret;
	return ret;
}

int io_close(struct io *io)
{
	int ret;

	if (io->is_open && io->disk.blkdebug)
		img_blkdebug_resume_all(io->disk.blkdebug);
	io_wait_pending(io);
	if (!io->is_open)
		return 0;
	ret = img_disk_close(&io->disk);
	if (ret)
		img_error("error while closing %s: %s", io->path ?: io->options,
			  strerror(-ret));
	io->is_open = false;
	return ret;
}

/* Several -o add up. */
static int add_options(struct io *io, const char *options)
{
	char *joined;

	if (asprintf(&joined, "%s%s%s", io->options ?: "",
		     io->options ? "," : "", options) < 0)
		return -ENOMEM;
	free(io->options);
	io->options = joined;
	return 0;
}

static int set_cache(struct io *io, const char *mode)
{
	struct err err;
	int ret = img_cache_parse(mode, &io->how, &err);

	if (ret)
		img_error("Invalid cache option: %s", mode);
	return ret;
}

/* The letters of open; the index of the file's name, or -errno. */
static int parse_open(struct io *io, int argc, char **argv)
{
	int letter, ret = 0;

	optind = 0;
	opterr = 1;
	while (!ret && (letter = getopt(argc, argv, "rsCnkUt:d:o:")) != -1) {
		if (letter == 'r')
			io->how.writable = false;
		else if (letter == 's')
			io->how.snapshot = true;
		else if (letter == 'n')
			io->how.direct = true;
		else if (letter == 'C')
			io->copy_on_read = true;
		else if (letter == 'U')
			io->how.no_lock = true;
		else if (letter == 't')
			ret = set_cache(io, optarg);
		else if (letter == 'o')
			ret = add_options(io, optarg);
		else if (letter == '?')
			return io_usage(argv[0]);
	}
	if (ret)
		return ret;
	if (argc - optind == 1 || (argc == optind && io->options))
		return optind;
	return io_usage(argv[0]);
}

int io_open_command(struct io *io, int argc, char **argv)
{
	struct io next = {.how.writable = true};
	int index = parse_open(&next, argc, argv);

	if (index >= 0 && io->is_open) {
		img_error("file open already, try 'help close'");
		index = -EBUSY;
	}
	if (index >= 0 && index < argc) {
		next.path = strdup(argv[index]);
		if (!next.path)
			index = -ENOMEM;
	}
	if (index < 0) {
		free(next.options);
		return index;
	}
	free(io->path);
	free(io->options);
	io->how = next.how;
	io->copy_on_read = next.copy_on_read;
	io->path = next.path;
	io->options = next.options;
	return io_open(io);
}

int io_close_command(struct io *io, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return io_close(io);
}

/* The letters of reopen, into io->how and io->options. */
static int parse_reopen(struct io *io, int argc, char **argv)
{
	bool said = false;
	int letter, ret = 0;

	optind = 0;
	opterr = 1;
	while (!ret && (letter = getopt(argc, argv, "c:o:rw")) != -1) {
		switch (letter) {
		case 'r':
		case 'w':
			if (said) {
				img_error("Only one -r/-w option may be given");
				return -EINVAL;
			}
			said = true;
			io->how.writable = letter == 'w';
			break;
		case 'c':
			ret = set_cache(io, optarg);
			break;
		case 'o':
			ret = add_options(io, optarg);
			break;
		default:
			return io_usage(argv[0]);
		}
	}
	if (!ret && optind != argc)
		ret = io_usage(argv[0]);
	return ret;
}

/* Only those of a format can change, and only all of them or none. */
static int change_options(struct io *io, const char *options,
			  struct img_open *how, struct err *err)
{
	struct qcow2_description qcow2 = {.cluster_size = UINT64_MAX};
	struct img_runtime runtime;
	struct img_spec spec = {0};
	int ret;

	if (img_disk_is_qcow2(&io->disk))
		qcow2_describe(io->disk.top, &qcow2);
	ret = img_spec_add(&spec, options, err);
	if (!ret)
		ret = img_runtime_take(&runtime, &spec, "", err);
	if (!ret && img_spec_rest(&spec))
		ret = err_set(err, EINVAL, "Cannot change the option '%s'",
			      img_spec_rest(&spec));
	if (!ret)
		ret = img_runtime_check(&runtime, qcow2.cluster_size, err);
	if (!ret)
		how->l2_cache_size = runtime.l2_cache_size;
	img_spec_fini(&spec);
	return ret;
}

/* If that fails, it is open as it was. */
static int reopen(struct io *io, const struct img_open *how)
{
	struct img_open old = io->how;
	int ret = io_close(io);

	if (ret)
		return ret;
	io->how = *how;
	ret = io_open(io);
	if (ret) {
		io->how = old;
		io_open(io);
	}
	return ret;
}

int io_reopen(struct io *io, int argc, char **argv)
{
	struct io next = {.how = io->how};
	int ret = parse_reopen(&next, argc, argv);
	struct err err;

	if (!ret && next.options) {
		ret = change_options(io, next.options, &next.how, &err);
		if (ret)
			img_error("%s", err.text);
	}
	free(next.options);
	return ret ? ret : reopen(io, &next.how);
}
