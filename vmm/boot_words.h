/*
 * vmm/boot_words.h - GRUB's configurations as commands made of words, and the
 * variables in them.
 *
 * Not a shell: no command runs, no condition is decided. Variables have the
 * values that GRUB's environment block (the file grubenv) gives them; all
 * others are empty, and so is next_entry, but menuentry_id_option is "--id".
 * Pure.
 */
#ifndef VMM_BOOT_WORDS_H
#define VMM_BOOT_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A longer word is cut. As no path and no command line is nearly as long,
 * whoever it is given to notices that it does not fit.
 */
#define BOOT_WORD_MAX 8192

struct boot_words {
	const char *at;		 /* the text that is left */
	const char *environment; /* grubenv's text; "" if there is none */
	size_t length;		 /* of `word` */
	bool quoted; /* the word had quotes: its blanks are its own */
	char word[BOOT_WORD_MAX];
};

void boot_words_init(struct boot_words *words, const char *text,
		     const char *environment);

/* Reads the command's next word. False at the command's end. */
bool boot_words_next(struct boot_words *words);

/* Goes to the next command. False at the end of the text. */
bool boot_words_next_command(struct boot_words *words);

/* @text with its variables replaced; what is past @capacity is cut. */
void boot_words_expand(const char *text, const char *environment,
		       char *ret_text, size_t capacity);

#endif
