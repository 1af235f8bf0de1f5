/*
 * Data that tells where on the disk it belongs.
 */
#include "runtime/blk.h"

#define WORDS (SECTOR / 8)

/* The two words of 16 bytes of text, in memory's order (little endian). */
static void pattern_words(uint64_t sector, char letter, uint64_t words[2])
{
	union {
		char text[16];
		uint64_t words[2];
	} line = {.text = "sector"};

	line.text[6] = letter;
	for (unsigned int i = 14; i > 6; i--, sector /= 10)
		line.text[i] = (char)('0' + sector % 10);
	line.text[15] = '\n';
	words[0] = line.words[0];
	words[1] = line.words[1];
}

void pattern_fill(void *buffer, uint64_t sector, uint32_t sectors, char letter)
{
	uint64_t *at = buffer, words[2];

	for (; sectors--; sector++) {
		pattern_words(sector, letter, words);
		for (unsigned int i = 0; i < WORDS; i++)
			*at++ = words[i & 1];
	}
}

bool pattern_holds(const void *buffer, uint64_t sector, uint32_t sectors,
		   char letter)
{
	const uint64_t *at = buffer;
	uint64_t words[2], wrong = 0;

	for (; sectors--; sector++) {
		pattern_words(sector, letter, words);
		for (unsigned int i = 0; i < WORDS; i++)
			wrong |= *at++ ^ words[i & 1];
	}
	return !wrong;
}

bool bytes_are(const void *buffer, uint8_t byte, uint32_t length)
{
	uint64_t word = byte * 0x0101010101010101ULL, wrong = 0;
	const uint64_t *at = buffer;

	for (; length; length -= 8)
		wrong |= *at++ ^ word;
	return !wrong;
}
