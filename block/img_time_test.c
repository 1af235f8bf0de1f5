/* block/img_time_test.c - dates against the C library's. */
#include "block/img_time.h"

#include <stdlib.h>

#include "base/math.h"
#include "base/test.h"

static void check_same(uint32_t seconds)
{
	char ours[IMG_TIME_TEXT_MAX], theirs[IMG_TIME_TEXT_MAX];
	time_t when = seconds;
	struct tm time, utc;

	gmtime_r(&when, &utc);
	img_time_utc(seconds, &time);
	CHECK_EQUAL(time.tm_year, utc.tm_year);
	CHECK_EQUAL(time.tm_mon, utc.tm_mon);
	CHECK_EQUAL(time.tm_mday, utc.tm_mday);
	CHECK_EQUAL(time.tm_hour, utc.tm_hour);
	CHECK_EQUAL(time.tm_min, utc.tm_min);
	CHECK_EQUAL(time.tm_sec, utc.tm_sec);
	localtime_r(&when, &time);
	strftime(theirs, sizeof(theirs), "%Y-%m-%d %H:%M:%S", &time);
	CHECK_TEXT(img_time_text(seconds, ours), theirs);
}

static void dates_are_the_c_librarys(void)
{
	static const uint32_t some[] = {0,	    951782399,	951782400,
					951868800,  4107542399, 4107542400,
					UINT32_MAX, 1732482000};

	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	for (size_t i = 0; i < ARRAY_LENGTH(some); i++)
		check_same(some[i]);
	for (uint32_t seconds = 0;
	     seconds < UINT32_MAX - 7777777 && !test_failed; seconds += 7777777)
		check_same(seconds);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(dates_are_the_c_librarys),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}
