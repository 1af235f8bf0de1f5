/*
 * vmm/main.c - alcor: picks the command.
 */
#include <stdio.h>
#include <string.h>

#include "arch/arch.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/math.h"
#include "base/parse.h"
#include "block/img.h"
#include "vmm/options.h"
#include "vmm/run.h"
#include "vmm/status.h"

#define VERSION "0.1"

static const char usage[] =
	"usage: alcor run [OPTIONS] [IMAGE]   boot a Linux kernel; see alcor "
	"run --help\n"
	"       alcor img COMMAND ...         disk images: qemu-img's commands; "
	"see alcor img --help\n"
	"       alcor version\n"
	"       alcor help\n";

static int help_command(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	fputs(usage, stdout);
	return STATUS_OK;
}

static int version_command(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	printf("alcor %s (%s)\n", VERSION, arch_name);
	return STATUS_OK;
}

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
	{"run", run_command},		{"img", img_command},
	{"version", version_command},	{"help", help_command},
	{"--help", help_command},	{"-h", help_command},
	{"--version", version_command},
};

int main(int argc, char **argv)
{
	const char *words[ARRAY_LENGTH(commands) + 1] = {NULL};
	struct err err;
	int status;

	if (fd_open_standard())
		return STATUS_USAGE; /* and nowhere to say why */
	status = img_command_as_qemu(argc, argv);
	if (status >= 0)
		return status;
	if (argc < 2) {
		fputs(usage, stderr);
		return STATUS_USAGE;
	}
	for (size_t i = 0; i < ARRAY_LENGTH(commands); i++) {
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 2, argv + 2);
		words[i] = commands[i].name;
	}
	parse_unknown(&err, "command", argv[1], words);
	log_warning("%s", err.text);
	return STATUS_USAGE;
}
