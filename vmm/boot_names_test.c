/* vmm/boot_names_test.c - the newest kernel, and its initial ramdisk's name. */
#include "vmm/boot_names.h"

#include "base/math.h"
#include "base/test.h"

static void takes_the_newest(void)
{
	static const char *const offered[] = {
		"config-9.9",
		"vmlinuz-6.1.0-9-amd64",
		"vmlinuz-6.1.0-38-amd64",
		"vmlinuz-6.1.0-10-amd64",
		"vmlinuz-6.2.0-1-amd64.old",
		"vmlinuz-0-rescue-8f",
		"vmlinuz-",
		".vmlinuz-7.0.hmac",
		"initrd.img-7.0",
	};
	struct boot_names names = {""};

	for (size_t i = 0; i < ARRAY_LENGTH(offered); i++)
		boot_names_offer(&names, offered[i]);
	CHECK_TEXT(names.newest, "vmlinuz-6.1.0-38-amd64");
}

static void ignores_what_is_too_long(void)
{
	char name[2 * BOOT_PATH_MAX] = "vmlinuz-";
	struct boot_names names = {""};

	memset(name + strlen(name), '9', sizeof(name) - 1 - strlen(name));
	boot_names_offer(&names, name);
	CHECK_TEXT(names.newest, "");
}

static void names_initrds(void)
{
	char name[BOOT_PATH_MAX];

	CHECK_TEXT(boot_names_version("vmlinuz-linux"), "linux");
	CHECK(!boot_names_version("vmlinuz"));
	CHECK(boot_names_initrd("6.1", 0, name));
	CHECK_TEXT(name, "initrd.img-6.1");
	CHECK(boot_names_initrd("linux", 1, name));
	CHECK_TEXT(name, "initramfs-linux.img");
	CHECK(!boot_names_initrd("6.1", 99, name));
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(takes_the_newest),
		TEST(ignores_what_is_too_long),
		TEST(names_initrds),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}
