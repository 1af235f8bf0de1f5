/*
 * block/img_time.c - see img_time.h.
 *
 * Time zones, with all that reads their files, would be a tenth of a static
 * program; so that leaves localtime_r() out, which nobody else there needs.
 */
#include "block/img_time.h"

#include <stdbool.h>
#include <stdio.h>

#pragma weak localtime_r

#define SECONDS_PER_DAY (24 * 60 * 60)

static bool is_leap_year(unsigned int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned int days_of_year(unsigned int year)
{
	return 365 + is_leap_year(year);
}

static unsigned int days_of_month(unsigned int month, unsigned int year)
{
	static const unsigned char days[] = {31, 28, 31, 30, 31, 30,
					     31, 31, 30, 31, 30, 31};

	return days[month] + (month == 1 && is_leap_year(year));
}

void img_time_utc(uint32_t seconds, struct tm *ret_time)
{
	unsigned int days = seconds / SECONDS_PER_DAY;
	unsigned int rest = seconds % SECONDS_PER_DAY;
	unsigned int year = 1970, month = 0;

	for (; days >= days_of_year(year); year++)
		days -= days_of_year(year);
	for (; days >= days_of_month(month, year); month++)
		days -= days_of_month(month, year);
	*ret_time = (struct tm){
		.tm_year = (int)year - 1900,
		.tm_mon = (int)month,
		.tm_mday = (int)days + 1,
		.tm_hour = (int)rest / 3600,
		.tm_min = (int)rest / 60 % 60,
		.tm_sec = (int)rest % 60,
	};
}

const char *img_time_text(uint32_t seconds, char text[IMG_TIME_TEXT_MAX])
{
	time_t when = seconds;
	struct tm time;

	if (!localtime_r || !localtime_r(&when, &time))
		img_time_utc(seconds, &time);
	snprintf(text, IMG_TIME_TEXT_MAX, "%04d-%02d-%02d %02d:%02d:%02d",
		 time.tm_year + 1900, time.tm_mon + 1, time.tm_mday,
		 time.tm_hour, time.tm_min, time.tm_sec);
	return text;
}
