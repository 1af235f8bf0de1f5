/*
 * base/text.h - text for people's terminals.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

/*
 * What strangers call their files may hold what a terminal takes for orders:
 * control characters become question marks, but for ends of lines.
 */
static inline void text_disarm(char *text)
{
	for (; *text; text++)
		if (((unsigned char)*text < ' ' && *text != '\n') ||
		    *text == 0x7f)
			*text = '?';
}

#endif
