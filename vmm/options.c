/* vmm/options.c - see options.h. */
#include "vmm/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/math.h"
#include "base/parse.h"

const char options_help[] =
	"usage: alcor run [OPTIONS] [IMAGE]\n"
	"\n"
	"Starts a machine and stays with its console until it ends.\n"
	"\n"
	"  IMAGE                  a qcow2 disk, the same as a first --disk.\n"
	"                         Without --kernel, kernel, initrd and command\n"
	"                         line are those that its boot loader would use\n"
	"  --kernel FILE          x86_64: bzImage or ELF vmlinux (PVH);\n"
	"                         aarch64: Image, gzip'd Image, EFI zboot\n"
	"  --initrd FILE          without --kernel: instead of the image's\n"
	"  --cmdline TEXT         the whole kernel command line, instead of what\n"
	"                         is found or made\n"
	"  --append TEXT          is added to the command line\n"
	"  --cpus N               vCPUs (1)\n"
	"  --memory SIZE[,hugepages=on|off]   bytes, or with K, M, G, T (1G);\n"
	"                         on: of huge pages that the host has reserved\n"
	"  --disk FILE[,KEY[=VALUE]...]   up to 16 times; the first is vda;\n"
	"                         a comma in FILE is written twice\n"
	"      format=qcow2|raw   the format is never guessed (qcow2)\n"
	"      ro                 the guest cannot write\n"
	"      snapshot           what the guest writes is gone at the end\n"
	"      queues=N           virtqueues, each with a thread (one per vCPU,\n"
	"                         at most 4)\n"
	"      cache=writeback|none       none: past the host's page cache\n"
	"      l2-cache=SIZE      memory for qcow2's tables\n"
	"      serial=TEXT        what /sys/block/*/serial shows\n"
	"      backing=near|on|off        whether a backing file that the\n"
	"                         image names may be opened: only from the\n"
	"                         image's own directory or below (near)\n"
	"      data-file=FILE     holds the data of an image that keeps them\n"
	"                         in another file\n"
	"      snapshot-id=ID     what the disk held at this snapshot (ro)\n"
	"  --rng on|off           a virtio entropy device (on)\n"
	"  --console stdio|null|pty|file,path=FILE\n"
	"                         the guest's ttyS0 (stdio); Ctrl-A x ends the\n"
	"                         machine, Ctrl-A h tells more\n"
	"  --no-reboot            a reset of the guest ends it, with status 3\n"
	"  --timeout DURATION     seconds, or with s, m, h: then status 124\n"
	"  --debug-exit           the guest may end it with a status of its own\n"
	"  --stats FILE           what vCPUs and disks did, as JSON, is written\n"
	"                         there at the end\n"
	"  --discovery acpi|cmdline|fdt   how the kernel learns of devices\n"
	"\n"
	"Exit status: 0 the guest powered off; 1 the host failed while it ran;\n"
	"2 wrong usage, or nothing could be started; 3 reset with --no-reboot;\n"
	"4 the guest's kernel panicked; 5 the guest crashed; (v<<1)|1 with\n"
	"--debug-exit; 124 --timeout passed; 128+n signal n (SIGTERM first\n"
	"presses the power button, a second one ends).\n";

int options_choose(struct err *err, const char *option, const char *typed,
		   const char *const words[])
{
	char list[128] = "";
	size_t used = 0;

	for (int i = 0; words[i]; i++) {
		if (!strcmp(typed, words[i]))
			return i;
		used += (size_t)snprintf(list + used, sizeof(list) - used,
					 "%s%s", i ? ", " : "", words[i]);
	}
	return err_set(err, EINVAL, "%s cannot be %s; it is one of %s", option,
		       *typed ? typed : "empty", list);
}

/* --- One function per option; each gets the value that was typed ---------- */

static int set_kernel(struct run_options *options, const char *value,
		      struct err *err)
{
	(void)err;
	options->kernel = value;
	return 0;
}

static int set_initrd(struct run_options *options, const char *value,
		      struct err *err)
{
	(void)err;
	options->initrd = value;
	return 0;
}

static int set_cmdline(struct run_options *options, const char *value,
		       struct err *err)
{
	(void)err;
	options->cmdline = value;
	return 0;
}

/* Several --append add up; the storage's last place is theirs. */
static int set_append(struct run_options *options, const char *value,
		      struct err *err)
{
	char **storage = &options->storage[OPTIONS_DISKS_MAX], *joined;

	if (!options->append) {
		options->append = value;
		return 0;
	}
	if (asprintf(&joined, "%s %s", options->append, value) < 0)
		return err_set(err, ENOMEM, "no memory for --append");
	free(*storage);
	options->append = *storage = joined;
	return 0;
}

static int set_cpus(struct run_options *options, const char *value,
		    struct err *err)
{
	uint64_t number;

	if (!parse_number(value, OPTIONS_CPUS_MAX, &number) || !number)
		return err_set(err, EINVAL,
			       "--cpus %s is not a number from 1 to %d", value,
			       OPTIONS_CPUS_MAX);
	options->cpus = (unsigned int)number;
	return 0;
}

static int set_switch(const char *option, const char *value, bool *ret_on,
		      struct err *err)
{
	static const char *const words[] = {"off", "on", NULL};
	int chosen = options_choose(err, option, value, words);

	*ret_on = chosen == 1;
	return chosen < 0 ? chosen : 0;
}

static int set_memory_size(struct run_options *options, const char *value,
			   struct err *err)
{
	if (!parse_size(value, &options->memory) ||
	    options->memory < 32 * MIB || options->memory > 1ULL << 45)
		return err_set(
			err, EINVAL,
			"--memory %s is not a size from 32M to 32T, such "
			"as 512M or 4G",
			value);
	options->memory = align_up(options->memory, 2 * MIB);
	return 0;
}

static int set_memory(struct run_options *options, const char *value,
		      struct err *err)
{
	static const char key[] = "hugepages=";
	const char *comma = strchr(value, ',');
	char size[32] = "";
	int ret;

	options->hugepages = false;
	if (!comma)
		return set_memory_size(options, value, err);
	if (strncmp(comma + 1, key, strlen(key)))
		return err_set(
			err, EINVAL,
			"--memory takes hugepages=on|off after the size, "
			"not '%s'",
			comma + 1);
	ret = set_switch("hugepages", comma + 1 + strlen(key),
			 &options->hugepages, err);
	snprintf(size, sizeof(size), "%.*s", (int)(comma - value), value);
	return ret ? ret : set_memory_size(options, size, err);
}

static int add_disk(struct run_options *options, const char *value,
		    struct err *err)
{
	char *text;
	int ret;

	if (options->disk_count == OPTIONS_DISKS_MAX)
		return err_set(err, EINVAL, "more than %d disks",
			       OPTIONS_DISKS_MAX);
	text = strdup(value);
	if (!text)
		return err_set(err, ENOMEM, "no memory for --disk");
	options->storage[options->disk_count] = text;
	ret = disk_options_parse(&options->disks[options->disk_count], text,
				 err);
	options->disk_count++;
	return ret;
}

static int set_rng(struct run_options *options, const char *value,
		   struct err *err)
{
	return set_switch("--rng", value, &options->rng, err);
}

static int set_console(struct run_options *options, const char *value,
		       struct err *err)
{
	static const char *const words[] = {
		[CONSOLE_STDIO] = "stdio",
		[CONSOLE_NULL] = "null",
		[CONSOLE_PTY] = "pty",
		[CONSOLE_FILE] = "file,path=FILE",
		NULL,
	};
	static const char file[] = "file,path=";
	int chosen;

	if (!strncmp(value, file, strlen(file)) && value[strlen(file)]) {
		options->console = CONSOLE_FILE;
		options->console_path = value + strlen(file);
		return 0;
	}
	chosen = options_choose(err, "--console", value, words);
	if (chosen < 0)
		return chosen;
	options->console = (enum console_kind)chosen;
	return 0;
}

static int set_timeout(struct run_options *options, const char *value,
		       struct err *err)
{
	if (!parse_duration(value, &options->timeout_ms) ||
	    !options->timeout_ms || options->timeout_ms > INT64_MAX / 1000000)
		return err_set(err, EINVAL,
			       "--timeout %s is not a duration such as 90, 90s "
			       "or 5m",
			       value);
	return 0;
}

static int set_stats(struct run_options *options, const char *value,
		     struct err *err)
{
	(void)err;
	options->stats_path = value;
	return 0;
}

static int set_discovery(struct run_options *options, const char *value,
			 struct err *err)
{
	static const char *const words[] = {"acpi", "cmdline", "fdt", NULL};
	static const enum arch_discovery kinds[] = {ARCH_DISCOVERY_ACPI,
						    ARCH_DISCOVERY_CMDLINE,
						    ARCH_DISCOVERY_FDT};
	int chosen = options_choose(err, "--discovery", value, words);

	if (chosen < 0)
		return chosen;
	options->discovery = kinds[chosen];
	return 0;
}

static int set_no_reboot(struct run_options *options, const char *value,
			 struct err *err)
{
	(void)value;
	(void)err;
	options->no_reboot = true;
	return 0;
}

static int set_debug_exit(struct run_options *options, const char *value,
			  struct err *err)
{
	(void)value;
	(void)err;
	options->debug_exit = true;
	return 0;
}

static int set_help(struct run_options *options, const char *value,
		    struct err *err)
{
	(void)value;
	(void)err;
	options->help = true;
	return 0;
}

/*
 * Options that are not done yet: the value that asks for nothing is accepted,
 * so that scripts work with later versions too; others are refused by name.
 */
static int refuse_later(const char *option, const char *value,
			const char *nothing, struct err *err)
{
	if (nothing && !strcmp(value, nothing))
		return 0;
	if (nothing)
		return err_set(err, ENOTSUP,
			       "%s %s is not done yet; it can only be %s",
			       option, value, nothing);
	return err_set(err, ENOTSUP, "%s is not done yet", option);
}

struct option_entry {
	const char *name;
	bool takes_value;
	/* NULL: not done yet; then `nothing` is the one value to take, if any
	 */
	int (*set)(struct run_options *options, const char *value,
		   struct err *err);
	const char *nothing;
};

static const struct option_entry option_entries[] = {
	{"--kernel", true, set_kernel, NULL},
	{"--initrd", true, set_initrd, NULL},
	{"--cmdline", true, set_cmdline, NULL},
	{"--append", true, set_append, NULL},
	{"--cpus", true, set_cpus, NULL},
	{"--memory", true, set_memory, NULL},
	{"--disk", true, add_disk, NULL},
	{"--rng", true, set_rng, NULL},
	{"--console", true, set_console, NULL},
	{"--no-reboot", false, set_no_reboot, NULL},
	{"--timeout", true, set_timeout, NULL},
	{"--debug-exit", false, set_debug_exit, NULL},
	{"--stats", true, set_stats, NULL},
	{"--discovery", true, set_discovery, NULL},
	{"--net", true, NULL, "none"},
	{"--vsock", true, NULL, NULL},
	{"--balloon", true, NULL, "off"},
	{"--gdb", true, NULL, NULL},
	{"--trace", true, NULL, NULL},
	{"--sandbox", true, NULL, "off"},
	{"--help", false, set_help, NULL},
};

/* @length: without the value, which makes no name nearer. */
static int unknown_option(const char *typed, size_t length, struct err *err)
{
	const char *words[ARRAY_LENGTH(option_entries) + 1] = {NULL};
	char name[64];

	for (size_t i = 0; i < ARRAY_LENGTH(option_entries); i++)
		words[i] = option_entries[i].name;
	snprintf(name, sizeof(name), "%.*s", (int)length, typed);
	return parse_unknown(err, "option", name, words);
}

static const struct option_entry *find_option(const char *name, size_t length)
{
	for (size_t i = 0; i < ARRAY_LENGTH(option_entries); i++)
		if (!strncmp(option_entries[i].name, name, length) &&
		    !option_entries[i].name[length])
			return &option_entries[i];
	return NULL;
}

/* Takes "--name value", "--name=value" or "--name" at argv[*at]. */
static int parse_option(struct run_options *options, int argc, char **argv,
			int *at, struct err *err)
{
	const char *typed = argv[*at];
	const char *equals = strchr(typed, '=');
	size_t length = equals ? (size_t)(equals - typed) : strlen(typed);
	const struct option_entry *entry = find_option(typed, length);
	const char *value;

	if (!entry)
		return unknown_option(typed, length, err);
	if (!entry->takes_value) {
		if (equals)
			return err_set(err, EINVAL, "%s takes no value",
				       entry->name);
		return entry->set(options, NULL, err);
	}
	if (!equals && *at + 1 >= argc)
		return err_set(err, EINVAL, "%s needs a value", entry->name);
	value = equals ? equals + 1 : argv[++*at];
	if (!entry->set)
		return refuse_later(entry->name, value, entry->nothing, err);
	return entry->set(options, value, err);
}

/* The operand becomes the first disk, wherever it stood. */
static int insert_image(struct run_options *options, const char *path,
			struct err *err)
{
	if (options->disk_count == OPTIONS_DISKS_MAX)
		return err_set(err, EINVAL, "more than %d disks",
			       OPTIONS_DISKS_MAX);
	memmove(&options->disks[1], &options->disks[0],
		options->disk_count * sizeof(options->disks[0]));
	options->disks[0] = (struct disk_options){.block.path = path};
	options->disk_count++;
	return 0;
}

int options_parse(struct run_options *options, int argc, char **argv,
		  struct err *err)
{
	const char *image = NULL;
	bool operands_only = false;
	int ret = 0;

	*options = (struct run_options){.memory = GIB, .cpus = 1, .rng = true};
	for (int i = 0; !ret && i < argc; i++) {
		if (!operands_only && !strcmp(argv[i], "--"))
			operands_only = true;
		else if (!operands_only && !strcmp(argv[i], "-h"))
			options->help = true;
		else if (!operands_only && argv[i][0] == '-')
			ret = parse_option(options, argc, argv, &i, err);
		else if (image)
			ret = err_set(err, EINVAL,
				      "%s is a second image; further disks are "
				      "named by --disk",
				      argv[i]);
		else
			image = argv[i];
	}
	if (!ret && image)
		ret = insert_image(options, image, err);
	return ret;
}

void options_fini(struct run_options *options)
{
	for (size_t i = 0; i < ARRAY_LENGTH(options->storage); i++) {
		free(options->storage[i]);
		options->storage[i] = NULL;
	}
}
