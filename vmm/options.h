/*
 * vmm/options.h - what the person typed after `alcor run`.
 *
 * Pure parsing: opens nothing. Strings point into argv, which outlives the
 * options, or into `storage`, which options_fini() frees.
 */
#ifndef VMM_OPTIONS_H
#define VMM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"
#include "base/err.h"
#include "block/block.h"

#define OPTIONS_DISKS_MAX 16
#define OPTIONS_CPUS_MAX  1024

struct disk_options {
	struct block_options block;
	unsigned int queues; /* 0: not said */
	const char *serial;  /* NULL: made from the disk's index */
};

enum console_kind {
	CONSOLE_STDIO,
	CONSOLE_NULL,
	CONSOLE_PTY,
	CONSOLE_FILE,
};

struct run_options {
	bool help;
	const char *kernel;
	const char *initrd;
	const char *cmdline; /* NULL: made */
	const char *append;  /* NULL: nothing */
	uint64_t memory;     /* bytes */
	bool hugepages;	     /* it is made of the host's reserved huge pages */
	unsigned int cpus;
	unsigned int disk_count;
	struct disk_options disks[OPTIONS_DISKS_MAX];
	enum console_kind console;
	const char *console_path;
	const char *stats_path; /* NULL: nobody wants to know */
	bool no_reboot;
	bool debug_exit;
	bool rng;
	uint64_t timeout_ms; /* 0: none */
	enum arch_discovery discovery;
	char *storage[OPTIONS_DISKS_MAX + 1]; /* --disk's, and --append's */
};

/*
 * Reads the arguments behind `run`. On failure the sentence names the option
 * and, for a misspelt word, the nearest right one. options_fini() is due in
 * both cases.
 */
int options_parse(struct run_options *options, int argc, char **argv,
		  struct err *err);
void options_fini(struct run_options *options);

/* One --disk value: FILE[,key=value...]. @text is cut up. */
int disk_options_parse(struct disk_options *disk, char *text, struct err *err);

/* The text of `alcor run --help`. */
extern const char options_help[];

/*
 * The index of @typed in @words (which ends with NULL), or -EINVAL with a
 * sentence that names the option and the possible values.
 */
int options_choose(struct err *err, const char *option, const char *typed,
		   const char *const words[]);

#endif
