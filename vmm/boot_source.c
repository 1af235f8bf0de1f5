/* vmm/boot_source.c - see boot_source.h. */
#include "vmm/boot_source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/math.h"
#include "vmm/boot_bls.h"
#include "vmm/boot_extlinux.h"
#include "vmm/boot_grub.h"
#include "vmm/boot_names.h"

/*
 * Sizes, so that a hostile image cannot make us search for long: the work is
 * at most the environment's size for each variable in a configuration.
 */
#define CONFIG_MAX	(1 * MIB)
#define ENVIRONMENT_MAX (4 * KIB) /* GRUB's have 1 KiB */
#define BLS_ENTRY_MAX	(16 * KIB)
#define BLS_ENTRIES_MAX 256

/* --- Files ---------------------------------------------------------------- */

/* Remembers the first problem, as the later ones often follow from it. */
static void note(struct err *problem, const struct err *err)
{
	if (!*problem->text)
		*problem = *err;
}

static char *read_found(struct ext_volume *volume, const struct ext_file *file,
			uint64_t limit, struct err *err)
{
	char *text;

	if (file->size > limit) {
		err_set(err, EFBIG, "larger than %llu KiB",
			(unsigned long long)(limit / KIB));
		return NULL;
	}
	text = calloc(1, file->size + 1);
	if (!text) {
		err_set(err, ENOMEM, "no memory");
	} else if (ext_volume_read(volume, file, text, err)) {
		free(text);
		text = NULL;
	}
	return text;
}

/* The text of a file, to be freed, or NULL; a file may well be missing. */
static char *read_text(struct ext_volume *volume, const char *path,
		       uint64_t limit, struct err *problem)
{
	struct ext_file file;
	struct err err = {""};
	char *text;
	int ret = ext_volume_find(volume, path, &file, &err);

	if (ret == -ENOENT || ret == -ENOTDIR)
		return NULL;
	text = ret ? NULL : read_found(volume, &file, limit, &err);
	if (!text) {
		err_prefix(&err, "%s cannot be used", path);
		note(problem, &err);
	}
	return text;
}

static bool exists(struct ext_volume *volume, const char *path)
{
	struct ext_file file;

	return !ext_volume_find(volume, path, &file, NULL);
}

/* Joins the two if they fit and there is such a file. */
static bool take_path(struct ext_volume *volume, const char *directory,
		      const char *path, char ret_path[BOOT_PATH_MAX])
{
	char joined[BOOT_PATH_MAX];

	if (snprintf(joined, sizeof(joined), "%s%s%s", directory,
		     *path == '/' ? "" : "/", path) >= BOOT_PATH_MAX ||
	    !exists(volume, joined))
		return false;
	strcpy(ret_path, joined);
	return true;
}

/*
 * Boot loaders count absolute paths from the root of their file system. Where
 * /boot is a mere directory, some tools still write what would be right if it
 * was a file system.
 */
static bool make_absolute(struct ext_volume *volume, const char *directory,
			  char path[BOOT_PATH_MAX])
{
	if (*path != '/')
		return take_path(volume, directory, path, path);
	return take_path(volume, "", path, path) ||
	       take_path(volume, "/boot", path, path);
}

/* @config, which lies in @directory, names the entry's files. */
static bool find_files(struct ext_volume *volume, struct boot_entry *entry,
		       const char *directory, const char *config,
		       struct err *problem)
{
	const char *missing = NULL;
	struct err err;

	if (!make_absolute(volume, directory, entry->kernel))
		missing = entry->kernel;
	for (unsigned int i = 0; !missing && i < entry->initrd_count; i++)
		if (!make_absolute(volume, directory, entry->initrds[i]))
			missing = entry->initrds[i];
	if (!missing)
		return true;
	err_set(&err, ENOENT, "%s names %s, which is not there", config,
		missing);
	note(problem, &err);
	return false;
}

/* --- The Boot Loader Specification ---------------------------------------- */

struct bls_search {
	struct ext_volume *volume;
	const char *directory;
	char *environment; /* grubenv's text */
	struct err *problem;
	unsigned int entries;
	bool found, found_saved;
	struct boot_bls best;
};

static bool is_better(const struct bls_search *search,
		      const struct boot_bls *bls, bool saved)
{
	if (!search->found || saved != search->found_saved)
		return !search->found || saved;
	return boot_bls_compare(bls, &search->best) < 0;
}

static void consider_bls(struct bls_search *search, const char *name)
{
	char path[BOOT_PATH_MAX];
	struct boot_bls bls;
	char *text = NULL;
	bool usable, saved;

	if (take_path(search->volume, search->directory, name, path))
		text = read_text(search->volume, path, BLS_ENTRY_MAX,
				 search->problem);
	if (!text)
		return;
	usable = boot_bls_parse(text, name, search->environment, &bls) &&
		 find_files(search->volume, &bls.entry, "", path,
			    search->problem);
	free(text);
	saved = usable && boot_bls_is_saved(&bls, search->environment);
	if (!usable || !is_better(search, &bls, saved))
		return;
	search->best = bls;
	search->found = true;
	search->found_saved = saved;
}

static bool each_bls(void *context, const char *name)
{
	struct bls_search *search = context;
	const char *suffix = strrchr(name, '.');

	if (suffix && !strcmp(suffix, ".conf")) {
		consider_bls(search, name);
		search->entries++;
	}
	return search->entries < BLS_ENTRIES_MAX;
}

static char *read_environment(struct ext_volume *volume, struct err *problem)
{
	static const char *const paths[] = {"/boot/grub2/grubenv",
					    "/boot/grub/grubenv",
					    "/grub2/grubenv", "/grub/grubenv"};
	char *text = NULL;

	for (size_t i = 0; !text && i < ARRAY_LENGTH(paths); i++)
		text = read_text(volume, paths[i], ENVIRONMENT_MAX, problem);
	return text ? text : strdup("");
}

static bool find_bls(struct ext_volume *volume, struct boot_entry *ret_entry,
		     struct err *problem)
{
	static const char *const directories[] = {"/boot/loader/entries",
						  "/loader/entries"};
	struct bls_search search = {
		.volume = volume,
		.environment = read_environment(volume, problem),
		.problem = problem,
	};

	for (size_t i = 0; search.environment && !search.found &&
			   i < ARRAY_LENGTH(directories);
	     i++) {
		search.directory = directories[i];
		ext_volume_list(volume, directories[i], each_bls, &search,
				NULL);
	}
	free(search.environment);
	if (search.found)
		*ret_entry = search.best.entry;
	return search.found;
}

/* --- GRUB and extlinux ---------------------------------------------------- */

struct config_place {
	const char *directory, *name;
};

/* Reads the configuration @text at @place into an entry. */
typedef bool config_parser(struct ext_volume *volume,
			   const struct config_place *place, const char *text,
			   struct boot_entry *ret_entry, struct err *problem);

static bool find_config(struct ext_volume *volume,
			const struct config_place *place, config_parser *parse,
			struct boot_entry *ret_entry, struct err *problem)
{
	char path[BOOT_PATH_MAX];
	bool usable;
	char *text;

	snprintf(path, sizeof(path), "%s/%s", place->directory, place->name);
	text = read_text(volume, path, CONFIG_MAX, problem);
	if (!text)
		return false;
	usable = parse(volume, place, text, ret_entry, problem) &&
		 find_files(volume, ret_entry, place->directory, path, problem);
	free(text);
	return usable;
}

static bool parse_grub(struct ext_volume *volume,
		       const struct config_place *place, const char *text,
		       struct boot_entry *ret_entry, struct err *problem)
{
	char path[BOOT_PATH_MAX];
	char *environment;
	bool usable;

	snprintf(path, sizeof(path), "%s/grubenv", place->directory);
	environment = read_text(volume, path, ENVIRONMENT_MAX, problem);
	usable = boot_grub_parse(text, environment ? environment : "",
				 ret_entry);
	free(environment);
	return usable;
}

static bool find_grub(struct ext_volume *volume, struct boot_entry *ret_entry,
		      struct err *problem)
{
	static const struct config_place places[] = {
		{"/boot/grub", "grub.cfg"},
		{"/boot/grub2", "grub.cfg"},
		{"/grub", "grub.cfg"},
		{"/grub2", "grub.cfg"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(places); i++)
		if (find_config(volume, &places[i], parse_grub, ret_entry,
				problem))
			return true;
	return false;
}

static bool parse_extlinux(struct ext_volume *volume,
			   const struct config_place *place, const char *text,
			   struct boot_entry *ret_entry, struct err *problem)
{
	(void)volume;
	(void)place;
	(void)problem;
	return boot_extlinux_parse(text, ret_entry);
}

static bool find_extlinux(struct ext_volume *volume,
			  struct boot_entry *ret_entry, struct err *problem)
{
	static const struct config_place places[] = {
		{"/boot/extlinux", "extlinux.conf"},
		{"/boot", "extlinux.conf"},
		{"/extlinux", "extlinux.conf"},
		{"", "extlinux.conf"},
		{"/boot/syslinux", "syslinux.cfg"},
		{"/syslinux", "syslinux.cfg"},
		{"", "syslinux.cfg"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(places); i++)
		if (find_config(volume, &places[i], parse_extlinux, ret_entry,
				problem))
			return true;
	return false;
}

/* --- Names ---------------------------------------------------------------- */

static bool each_name(void *context, const char *name)
{
	boot_names_offer(context, name);
	return true;
}

static bool find_newest(struct ext_volume *volume, const char *directory,
			struct boot_entry *ret_entry)
{
	struct boot_names names = {""};
	const char *version;
	char initrd[BOOT_PATH_MAX];

	ext_volume_list(volume, *directory ? directory : "/", each_name, &names,
			NULL);
	version = boot_names_version(names.newest);
	if (!version ||
	    !take_path(volume, directory, names.newest, ret_entry->kernel))
		return false;
	for (unsigned int i = 0; boot_names_initrd(version, i, initrd); i++)
		if (take_path(volume, directory, initrd,
			      ret_entry->initrds[0])) {
			ret_entry->initrd_count = 1;
			break;
		}
	return true;
}

/* Debian's links to its newest kernel, which the root directory has. */
static bool find_links(struct ext_volume *volume, const char *directory,
		       struct boot_entry *ret_entry)
{
	if (!take_path(volume, directory, "vmlinuz", ret_entry->kernel))
		return false;
	ret_entry->initrd_count = take_path(volume, directory, "initrd.img",
					    ret_entry->initrds[0]);
	return true;
}

static bool find_names(struct ext_volume *volume, struct boot_entry *ret_entry,
		       struct err *problem)
{
	(void)problem;
	return find_links(volume, "", ret_entry) ||
	       find_links(volume, "/boot", ret_entry) ||
	       find_newest(volume, "/boot", ret_entry) ||
	       find_newest(volume, "", ret_entry);
}

bool boot_source_find(enum boot_source source, struct ext_volume *volume,
		      struct boot_entry *ret_entry, struct err *problem)
{
	static bool (*const finds[])(struct ext_volume * volume,
				     struct boot_entry * ret_entry,
				     struct err * problem) = {
		[BOOT_SOURCE_BLS] = find_bls,
		[BOOT_SOURCE_GRUB] = find_grub,
		[BOOT_SOURCE_EXTLINUX] = find_extlinux,
		[BOOT_SOURCE_NAMES] = find_names,
	};

	*ret_entry = (struct boot_entry){0};
	return finds[source](volume, ret_entry, problem);
}
