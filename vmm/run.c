/*
 * vmm/run.c - see run.h.
 *
 * Order: read the options; open kernel, initrd, /dev/kvm, the disks and the
 * console; then lives of the machine, one per reset; then close all. Whatever
 * cannot be opened ends it before the guest starts, with one sentence and
 * status 2.
 */
#include "vmm/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "vmm/life.h"
#include "vmm/machine.h"
#include "vmm/options.h"
#include "vmm/status.h"

struct run {
	struct run_options options;
	struct fd_map kernel, initrd;
	char *cmdline;
	struct kvm kvm;
	struct console *console;
	struct machine_parts parts; /* refers to the above */
};

/*
 * Without --cmdline the kernel gets the console that we have, and where a
 * reset ends the run, a panic shall reset: else it would hang.
 */
static int make_cmdline(struct run *run, struct err *err)
{
	const struct run_options *options = &run->options;
	const char *base = options->cmdline;

	if (!base)
		base = options->no_reboot ? "console=ttyS0 panic=-1"
					  : "console=ttyS0";
	if (asprintf(&run->cmdline, "%s%s%s", base, options->append ? " " : "",
		     options->append ? options->append : "") < 0) {
		run->cmdline = NULL;
		return err_set(err, ENOMEM, "no memory for the command line");
	}
	run->parts.cmdline = run->cmdline;
	return 0;
}

static int open_kernel(struct run *run, struct err *err)
{
	int ret;

	if (!run->options.kernel)
		return err_set(err, EINVAL,
			       "--kernel is needed: taking the kernel from "
			       "inside the image is not done yet");
	ret = fd_map_open(run->options.kernel, &run->kernel, err);
	if (ret) {
		err_prefix(err, "--kernel");
		return ret;
	}
	run->parts.kernel = &run->kernel;
	if (!run->options.initrd)
		return 0;
	ret = fd_map_open(run->options.initrd, &run->initrd, err);
	if (ret)
		err_prefix(err, "--initrd");
	run->parts.initrd = &run->initrd;
	return ret;
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

static int open_all(struct run *run, struct err *err)
{
	int ret;

	run->parts.options = &run->options;
	run->parts.kvm = &run->kvm;
	ret = make_cmdline(run, err);
	if (!ret)
		ret = open_kernel(run, err);
	if (!ret)
		ret = kvm_open(&run->kvm, err);
	if (!ret)
		ret = open_disks(run, err);
	if (!ret)
		ret = console_open(run->options.console,
				   run->options.console_path, &run->console,
				   err);
	run->parts.console = run->console;
	return ret;
}

/* The error of writing back the disks, if any. */
static int close_all(struct run *run)
{
	int ret = close_disks(run);

	console_close(run->console);
	kvm_close(&run->kvm);
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

/*
 * Lives until one ends otherwise than by a reset, or by a reset that is to
 * end it. Returns the status. A life that cannot begin is status 2 at first,
 * the host's failure (1) later.
 */
static int run_lives(struct run *run, struct life *life, struct err *err)
{
	int status = STATUS_RESET, ret;
	bool first = true, last = false;
	struct machine *machine;

	while (!last) {
		ret = machine_new(&run->parts, &machine, err);
		if (ret)
			return first ? STATUS_USAGE : STATUS_HOST_FAILED;
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
		machine_free(machine);
	}
	return status;
}

static int run_opened(struct run *run, struct err *err)
{
	struct life life;
	int status;

	if (life_init(&life, run->console, run->options.timeout_ms, err))
		return STATUS_USAGE;
	status = run_lives(run, &life, err);
	console_stop(run->console);
	life_fini(&life);
	return status;
}

int run_command(int argc, char **argv)
{
	struct run run = {.kvm.fd = -1};
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
