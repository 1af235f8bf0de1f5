/*
 * vmm/boot_version_test.c - the order of the specification's examples, and of
 * what kernels are called.
 */
#include "vmm/boot_version.h"

#include "base/math.h"
#include "base/test.h"

static int sign(int value)
{
	return (value > 0) - (value < 0);
}

static void check_order(const char *a, const char *b, int want)
{
	if (sign(boot_version_compare(a, b)) != want ||
	    sign(boot_version_compare(b, a)) != -want)
		printf("# \"%s\" and \"%s\"\n", a, b);
	CHECK_EQUAL(sign(boot_version_compare(a, b)), want);
	CHECK_EQUAL(sign(boot_version_compare(b, a)), -want);
}

static void orders_the_specifications_chain(void)
{
	static const char *const chain[] = {
		"122.1",   "123~rc1-1", "123",	   "123-a",
		"123-a.1", "123-1",	"123-1.1", "123^post1",
		"123.a-1", "123.1-1",	"123a-1",  "124-1",
	};

	for (size_t i = 0; i < ARRAY_LENGTH(chain); i++)
		for (size_t j = i; j < ARRAY_LENGTH(chain); j++)
			check_order(chain[i], chain[j], i == j ? 0 : -1);
}

static void orders_parts(void)
{
	check_order("", "", 0);
	check_order("", "0", -1);
	check_order("~", "", -1);
	check_order("~", "0", -1);
	check_order("A", "a", -1);
	check_order("ab", "abc", -1);
	check_order("0.", "0", 1);
	check_order("007", "7", 0);
	check_order("9", "10", -1);
	check_order("a", "0", -1);
	check_order("123.a", "123.b", -1);
	check_order("99999999999999999999998", "99999999999999999999999", -1);
}

static void skips_separators(void)
{
	check_order("1_", "1", 0);
	check_order("_1", "1", 0);
	check_order("1_2_3", "1.3.3", 1);
	check_order("1+", "1.2", -1);
	check_order("11\xce\xb1", "11\xce\xb2", 0);
}

static void orders_kernels(void)
{
	check_order("6.1.0-9-amd64", "6.1.0-38-amd64", -1);
	check_order("6.8.0-31-generic", "6.11.0-9-generic", -1);
	check_order("6.1.0-rc1", "6.1.0", 1);
	check_order("5.14.0-427.el9.x86_64", "5.14.0-503.11.1.el9_5.x86_64",
		    -1);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(orders_the_specifications_chain),
		TEST(orders_parts),
		TEST(skips_separators),
		TEST(orders_kernels),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}
