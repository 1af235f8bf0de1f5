/*
 * vmm/run.c - see run.h.
 *
 * Order: read the options; open kernel, initrd, /dev/kvm and the disks, take
 * from the first disk what was not named, open the console and what --stats
 * names; then lives of the machine, one per reset; then close all. Whatever
 * cannot be opened ends it before the guest starts, with one sentence and
 * status 2.
 */
#include "vmm/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "vmm/image_boot.h"
#include "vmm/life.h"
#include "vmm/machine.h"
#include "vmm/options.h"
#include "vmm/statistics.h"
#include "vmm/status.h"

struct run {
	struct run_options options;
	struct fd_map kernel, initrd; /* the files that the options name */
	struct image_boot image;      /* without --kernel: found in the disk */
	char *cmdline;
	struct kvm kvm;
	struct console *console;
	struct machine_parts parts;    /* refers to the above */
	struct statistics *statistics; /* NULL: nobody wants to know */
	int stats_fd;
};

static int open_file(const char *option, const char *path, struct fd_map *map,
		     struct err *err)
{
	int ret = path ? fd_map_open(path, map, err) : 0;

	if (ret)
		err_prefix(err, "%s", option);
	return ret;
}

static int open_files(struct run *run, struct err *err)
{
	const struct run_options *options = &run->options;
	int ret;

	if (!options->kernel && !options->disk_count)
		return err_set(err, EINVAL,
			       "there is nothing to boot: name an IMAGE that "
			       "has a kernel inside, or a --kernel");
	ret = open_file("--kernel", options->kernel, &run->kernel, err);
	if (!ret)
		ret = open_file("--initrd", options->initrd, &run->initrd, err);
	return ret;
}

/* Into run->image, which is empty. */
static int look_into_image(struct run *run, struct err *err)
{
	struct disk_view disk = disk_view_of_block(run->parts.disks[0]);

	return image_boot_open(&disk, run->options.disks[0].block.path,
			       &run->image, err);
}

static void choose_files(struct run *run)
{
	const struct run_options *options = &run->options;
	struct image_boot *image = &run->image;

	run->parts.kernel = options->kernel ? &run->kernel : &image->kernel;
	run->parts.initrd = NULL;
	if (options->initrd)
		run->parts.initrd = &run->initrd;
	else if (image->initrd.size)
		run->parts.initrd = &image->initrd;
}

/*
 * Without --cmdline the kernel gets the console that we have, and where a
 * reset ends the run, a panic shall reset: else it would hang.
 */
static int make_cmdline(struct run *run, struct err *err)
{
	const struct run_options *options = &run->options;
	bool made = !options->cmdline;
	const char *base = options->cmdline;
	char *cmdline;

	if (made)
		base = options->kernel ? "console=ttyS0" : run->image.cmdline;
	if (asprintf(&cmdline, "%s%s%s%s", base,
		     made && options->no_reboot ? " panic=-1" : "",
		     options->append ? " " : "",
		     options->append ? options->append : "") < 0)
		return err_set(err, ENOMEM, "no memory for the command line");
	free(run->cmdline);
	run->cmdline = cmdline;
	run->parts.cmdline = cmdline;
	return 0;
}

/* After the disks: the first one has what --kernel does not name. */
static int choose_kernel(struct run *run, struct err *err)
{
	int ret = run->options.kernel ? 0 : look_into_image(run, err);

	if (ret)
		return ret;
	choose_files(run);
	return make_cmdline(run, err);
}

/*
 * Once the guest's memory has them, nobody needs the files until the next
 * reset; and by then the guest may have installed others in its image.
 */
static void let_go_of_files(struct run *run)
{
	fd_map_rest(&run->kernel);
	fd_map_rest(&run->initrd);
	image_boot_close(&run->image);
}

static int open_disks(struct run *run, struct err *err)
{
	int ret = 0;

	for (unsigned int i = 0; !ret && i < run->options.disk_count; i++)
		ret = block_open(&run->options.disks[i].block,
				 &run->parts.disks[i], err);
	return ret;
}

static int close_disks(struct run *run)
{
	int first = 0, ret;

	for (unsigned int i = run->options.disk_count; i-- > 0;) {
		if (!run->parts.disks[i])
			continue;
		ret = block_close(run->parts.disks[i]);
		run->parts.disks[i] = NULL;
		if (!ret)
			continue;
		log_warning("disk %s could not be written back: %s",
			    run->options.disks[i].block.path, strerror(-ret));
		first = first ? first : ret;
	}
	return first;
}

static bool is_same_file(const char *path, const struct stat *other)
{
	struct stat st;

	return path && !stat(path, &st) && st.st_dev == other->st_dev &&
	       st.st_ino == other->st_ino;
}

/* What is emptied must be nothing that we read. @other: nor this; or NULL. */
static int check_target(const struct run *run, const char *option,
			const char *path, const char *other, struct err *err)
{
	const struct run_options *options = &run->options;
	struct stat st;
	bool taken;

	if (!path || stat(path, &st))
		return 0;
	taken = is_same_file(options->kernel, &st) ||
		is_same_file(options->initrd, &st) || is_same_file(other, &st);
	for (unsigned int i = 0; i < options->disk_count; i++)
		taken |= is_same_file(options->disks[i].block.path, &st) ||
			 is_same_file(options->disks[i].block.data_file, &st);
	if (taken)
		return err_set(err, EINVAL,
			       "%s would overwrite %s, which the machine is to "
			       "use",
			       option, path);
	return 0;
}

static int open_console(struct run *run, struct err *err)
{
	const struct run_options *options = &run->options;
	const char *path = options->console_path;
	int ret = check_target(run, "--console", path, NULL, err);

	if (ret)
		return ret;
	ret = console_open(options->console, path, &run->console, err);
	run->parts.console = run->console;
	return ret;
}

static int open_stats(struct run *run, struct err *err)
{
	const char *path = run->options.stats_path;
	int ret;

	if (!path)
		return 0;
	ret = check_target(run, "--stats", path, run->options.console_path,
			   err);
	if (ret)
		return ret;
	run->statistics = calloc(1, sizeof(*run->statistics));
	if (!run->statistics)
		return err_set(err, ENOMEM, "no memory for --stats");
	run->stats_fd = statistics_open(path, err);
	return run->stats_fd < 0 ? run->stats_fd : 0;
}

static int open_all(struct run *run, struct err *err)
{
	int ret;

	run->parts.options = &run->options;
	run->parts.kvm = &run->kvm;
	ret = open_files(run, err);
	if (!ret)
		ret = kvm_open(&run->kvm, err);
	if (!ret)
		ret = open_disks(run, err);
	if (!ret)
		ret = choose_kernel(run, err);
	if (!ret)
		ret = open_console(run, err);
	if (!ret)
		ret = open_stats(run, err);
	return ret;
}

/* The error of writing back the disks, if any. */
static int close_all(struct run *run)
{
	int ret = close_disks(run);

	fd_close(&run->stats_fd);
	free(run->statistics);
	console_close(run->console);
	kvm_close(&run->kvm);
	image_boot_close(&run->image);
	fd_map_close(&run->initrd);
	fd_map_close(&run->kernel);
	free(run->cmdline);
	return ret;
}

/* One sentence for an ending that its status alone does not explain. */
static void explain(const struct ending *ending)
{
	switch (ending->kind) {
	case ENDING_PANICKED:
		log_warning("the guest's kernel panicked");
		break;
	case ENDING_CRASHED:
		log_warning("the guest crashed");
		break;
	case ENDING_HOST_FAILED:
		log_warning("the host failed to run the guest: %s",
			    strerror((int)ending->value));
		break;
	case ENDING_TIMEOUT:
		log_warning("the guest was still running after --timeout");
		break;
	default:
		break;
	}
}

/* After the last life: the terminal is a person's again, then the report. */
static void conclude(struct run *run, struct machine *machine)
{
	machine_stop(machine);
	console_stop(run->console);
	explain(machine_ending(machine));
	machine_report(machine, stderr);
}

static void note_life(struct run *run, struct machine *machine)
{
	if (!run->statistics)
		return;
	machine_stop(machine);
	machine_add_statistics(machine, run->statistics);
	run->statistics->lives++;
}

/* Nothing is written of a machine that did not start. */
static int save_statistics(struct run *run, uint64_t since_nsec)
{
	struct statistics *statistics = run->statistics;
	int ret;

	if (!statistics || !statistics->lives)
		return 0;
	statistics->wall_nsec = clock_now_nsec() - since_nsec;
	statistics->cpu_nsec = clock_process_nsec();
	for (unsigned int i = 0; i < run->options.disk_count; i++)
		block_statistics(run->parts.disks[i], &statistics->tables[i]);
	ret = statistics_save(statistics, &run->options, run->stats_fd);
	run->stats_fd = -1;
	if (ret)
		log_warning("--stats could not be written to %s: %s",
			    run->options.stats_path, strerror(-ret));
	return ret;
}

/*
 * Lives until one ends otherwise than by a reset, or by a reset that is to
 * end it. Returns the status. A life that cannot begin is status 2 at first,
 * the host's failure (1) later.
 */
static int run_lives(struct run *run, struct life *life, struct err *err)
{
	int status = STATUS_RESET, ret = 0;
	bool first = true, last = false;
	struct machine *machine;

	while (!last) {
		if (!first)
			ret = choose_kernel(run, err);
		if (!ret)
			ret = machine_new(&run->parts, &machine, err);
		if (ret)
			return first ? STATUS_USAGE : STATUS_HOST_FAILED;
		let_go_of_files(run);
		if (first)
			console_start(run->console);
		first = false;
		ret = life_run(life, machine, err);
		status = ret ? STATUS_HOST_FAILED
			     : ending_status(machine_ending(machine));
		last = ret || run->options.no_reboot ||
		       machine_ending(machine)->kind != ENDING_RESET;
		if (last)
			conclude(run, machine);
		note_life(run, machine);
		machine_free(machine);
	}
	return status;
}

static int run_opened(struct run *run, struct err *err)
{
	uint64_t since_nsec = clock_now_nsec();
	struct life life;
	int status;

	if (life_init(&life, run->console, run->options.timeout_ms, err))
		return STATUS_USAGE;
	status = run_lives(run, &life, err);
	console_stop(run->console);
	life_fini(&life);
	if (save_statistics(run, since_nsec) && status == STATUS_OK)
		status = STATUS_HOST_FAILED;
	return status;
}

int run_command(int argc, char **argv)
{
	struct run run = {.kvm.fd = -1, .stats_fd = -1};
	struct err err = {""};
	int status = STATUS_USAGE;

	if (!options_parse(&run.options, argc, argv, &err)) {
		if (run.options.help) {
			fputs(options_help, stdout);
			status = STATUS_OK;
		} else if (!open_all(&run, &err)) {
			status = run_opened(&run, &err);
		}
	}
	if (close_all(&run) && status == STATUS_OK)
		status = STATUS_HOST_FAILED;
	options_fini(&run.options);
	if (*err.text)
		log_warning("%s", err.text);
	return status;
}
