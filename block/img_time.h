/* block/img_time.h - dates, as people read them. Pure but for the time zone. */
#ifndef BLOCK_IMG_TIME_H
#define BLOCK_IMG_TIME_H

#include <stdint.h>
#include <time.h>

#define IMG_TIME_TEXT_MAX 80

/*
 * "2026-11-24 21:00:00", of seconds since 1970, in local time; in UTC if the
 * program was linked without the C library's knowledge of time zones.
 */
const char *img_time_text(uint32_t seconds, char text[IMG_TIME_TEXT_MAX]);

/* Date and time in UTC; the other fields are 0. */
void img_time_utc(uint32_t seconds, struct tm *ret_time);

#endif
