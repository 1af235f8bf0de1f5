/*
 * vmm/boot_grub.c - see boot_grub.h. One pass: `set default=` stands before
 * the menu, so whether an entry is the default is known where it begins.
 */
#include "vmm/boot_grub.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/math.h"
#include "vmm/boot_words.h"

#define DEPTH_MAX   16
#define DEFAULT_MAX 1024

enum block_kind { BLOCK_OTHER, BLOCK_ENTRY, BLOCK_SUBMENU };

struct block_level {
	enum block_kind kind;
	bool on_path;	      /* of the default, as far as this */
	unsigned int items;   /* entries and submenus seen in it */
	unsigned int submenu; /* how many submenus it is in, itself included */
};

struct grub_menu {
	struct boot_words words;
	char chosen[DEFAULT_MAX]; /* the value of `default` */
	struct block_level levels[DEPTH_MAX];
	unsigned int depth;	 /* of the innermost level */
	struct boot_entry entry; /* the one that is being read */
	struct boot_entry *best; /* the first usable one, or the default */
	bool opened;		 /* the last command ended in a '{' */
	bool done;		 /* found the default, or nested too deep */
};

static struct block_level *innermost(struct grub_menu *menu)
{
	return &menu->levels[menu->depth];
}

/* Is this the part number @index of the default's path? */
static bool is_chosen(const struct grub_menu *menu, unsigned int index,
		      const char *name)
{
	const char *part = menu->chosen;
	size_t length;

	while (index-- && *part) {
		part += strcspn(part, ">");
		part += *part == '>';
	}
	length = strcspn(part, ">");
	/* Where nothing is said, the first item is the default. */
	if (!length)
		return !strcmp(name, "0");
	return strlen(name) == length && !strncmp(part, name, length);
}

/* At a '{'. No real configuration nests as deep as is possible here. */
static void open_block(struct grub_menu *menu, enum block_kind kind,
		       bool on_path)
{
	struct block_level *outer = innermost(menu);

	if (menu->depth + 1 == DEPTH_MAX) {
		menu->done = true;
		return;
	}
	menu->levels[++menu->depth] = (struct block_level){
		.kind = kind,
		.on_path = on_path,
		.submenu = outer->submenu + (kind == BLOCK_SUBMENU),
	};
	menu->opened = true;
}

static void close_block(struct grub_menu *menu)
{
	const struct block_level *block = innermost(menu);

	if (block->kind == BLOCK_ENTRY && boot_entry_is_usable(&menu->entry)) {
		menu->done = block->on_path;
		if (block->on_path || !boot_entry_is_usable(menu->best))
			*menu->best = menu->entry;
	}
	if (menu->depth)
		menu->depth--;
}

/* Options of menuentry and submenu that have a value in the next word. */
static bool takes_value(const char *option)
{
	static const char *const options[] = {"--class", "--users", "--hotkey",
					      "--source"};

	for (size_t i = 0; i < ARRAY_LENGTH(options); i++)
		if (!strcmp(option, options[i]))
			return true;
	return false;
}

static bool at_brace(const struct boot_words *words)
{
	return !words->quoted && !strcmp(words->word, "{");
}

/*
 * The next word of a header: is it a name that the default may go by? False
 * at its end, which is the '{' or, in a broken one, the end of the line.
 */
static bool next_name(struct boot_words *words, bool *has_title,
		      const char **ret_name)
{
	const char *word = words->word;

	*ret_name = NULL;
	if (!boot_words_next(words) || at_brace(words))
		return false;
	if (takes_value(word)) {
		boot_words_next(words);
	} else if (!strcmp(word, "--id")) {
		if (boot_words_next(words))
			*ret_name = word;
	} else if (!strncmp(word, "--id=", 5)) {
		*ret_name = word + 5;
	} else if (*word != '-' && !*has_title) {
		*has_title = true;
		*ret_name = word;
	}
	return true;
}

/* menuentry|submenu TITLE [--id ID] [OPTION...] { */
static void read_header(struct grub_menu *menu, enum block_kind kind)
{
	struct block_level *outer = innermost(menu);
	bool has_title = false, chosen;
	char number[16];
	const char *name;

	snprintf(number, sizeof(number), "%u", outer->items++);
	chosen = is_chosen(menu, outer->submenu, number);
	while (next_name(&menu->words, &has_title, &name))
		if (name)
			chosen |= is_chosen(menu, outer->submenu, name);
	if (!at_brace(&menu->words))
		return;
	menu->entry = (struct boot_entry){0};
	open_block(menu, kind, outer->on_path && chosen);
}

static void read_function(struct grub_menu *menu)
{
	while (boot_words_next(&menu->words))
		if (at_brace(&menu->words)) {
			open_block(menu, BLOCK_OTHER, false);
			return;
		}
}

static void read_set(struct grub_menu *menu)
{
	static const char name[] = "default=";
	const char *word = menu->words.word;

	if (innermost(menu)->kind != BLOCK_OTHER ||
	    !boot_words_next(&menu->words) ||
	    strncmp(word, name, strlen(name)) || !word[strlen(name)])
		return;
	snprintf(menu->chosen, sizeof(menu->chosen), "%s", word + strlen(name));
}

static void read_linux(struct grub_menu *menu)
{
	struct boot_words *words = &menu->words;

	if (*menu->entry.kernel || !boot_words_next(words))
		return;
	boot_entry_set_kernel(&menu->entry, words->word);
	while (boot_words_next(words)) {
		if (words->quoted)
			boot_entry_add_argument(&menu->entry, words->word);
		else
			boot_entry_add_arguments(&menu->entry, words->word);
	}
}

static void read_initrd(struct grub_menu *menu)
{
	if (menu->entry.initrd_count)
		return;
	while (boot_words_next(&menu->words))
		boot_entry_add_initrd(&menu->entry, menu->words.word);
}

static bool is_one_of(const char *word, const char *const words[])
{
	for (; *words; words++)
		if (!strcmp(word, *words))
			return true;
	return false;
}

static void read_in_entry(struct grub_menu *menu)
{
	static const char *const kernels[] = {"linux", "linux16", "linuxefi",
					      NULL};
	static const char *const initrds[] = {"initrd", "initrd16", "initrdefi",
					      NULL};

	if (is_one_of(menu->words.word, kernels))
		read_linux(menu);
	else if (is_one_of(menu->words.word, initrds))
		read_initrd(menu);
}

/* One command, up to its end or to the '{' that opens a block. */
static void read_command(struct grub_menu *menu)
{
	static const char *const prefixes[] = {"then", "else", "do", NULL};
	const char *word = menu->words.word;

	do {
		if (!boot_words_next(&menu->words))
			return;
	} while (is_one_of(word, prefixes));

	if (!strcmp(word, "menuentry"))
		read_header(menu, BLOCK_ENTRY);
	else if (!strcmp(word, "submenu"))
		read_header(menu, BLOCK_SUBMENU);
	else if (!strcmp(word, "function"))
		read_function(menu);
	else if (!strcmp(word, "}"))
		close_block(menu);
	else if (!strcmp(word, "set"))
		read_set(menu);
	else if (innermost(menu)->kind == BLOCK_ENTRY)
		read_in_entry(menu);
}

/* To the next command. What follows a '{' on its line is one of its own. */
static bool advance(struct grub_menu *menu)
{
	if (menu->done)
		return false;
	if (menu->opened) {
		menu->opened = false;
		return true;
	}
	return boot_words_next_command(&menu->words);
}

bool boot_grub_parse(const char *config, const char *environment,
		     struct boot_entry *ret_entry)
{
	struct grub_menu *menu = calloc(1, sizeof(*menu));

	*ret_entry = (struct boot_entry){0};
	if (!menu)
		return false;
	menu->best = ret_entry;
	menu->levels[0].on_path = true;
	boot_words_init(&menu->words, config, environment);
	do
		read_command(menu);
	while (advance(menu));
	free(menu);
	return boot_entry_is_usable(ret_entry);
}
