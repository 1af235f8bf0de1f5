/*
 * vmm/boot_grub_test.c - configurations as grub-mkconfig writes them, and the
 * ways in which they say what the default is.
 */
#include "vmm/boot_grub.h"

#include "base/math.h"
#include "base/test.h"

static struct boot_entry entry;

/* Debian's shape: a first entry, a submenu with more, one without a kernel. */
#define DEBIAN_HEAD                          \
	"if [ -s $prefix/grubenv ]; then\n"  \
	"  set have_grubenv=true\n"          \
	"  load_env\n"                       \
	"fi\n"                               \
	"if [ \"${next_entry}\" ] ; then\n"  \
	"   set default=\"${next_entry}\"\n" \
	"   set next_entry=\n"               \
	"   save_env next_entry\n"           \
	"else\n"                             \
	"   set default="

#define DEBIAN_TAIL                                                        \
	"\nfi\n"                                                           \
	"if [ x\"${feature_menuentry_id}\" = xy ]; then\n"                 \
	"  menuentry_id_option=\"--id\"\n"                                 \
	"fi\n"                                                             \
	"function savedefault {\n"                                         \
	"  if [ -z \"${boot_once}\" ]; then\n"                             \
	"    saved_entry=\"${chosen}\"\n"                                  \
	"  fi\n"                                                           \
	"}\n"                                                              \
	"menuentry 'Debian GNU/Linux' --class debian --class os "          \
	"$menuentry_id_option 'gnulinux-simple-42' {\n"                    \
	"\tload_video\n"                                                   \
	"\tif [ x$grub_platform = xxen ]; then insmod xzio; fi\n"          \
	"\tsearch --no-floppy --fs-uuid --set=root 42\n"                   \
	"\techo\t'Loading Linux 6.1.0-38-amd64 ...'\n"                     \
	"\tlinux\t/boot/vmlinuz-6.1.0-38-amd64 root=UUID=42 ro  quiet\n"   \
	"\techo\t'Loading initial ramdisk ...'\n"                          \
	"\tinitrd\t/boot/initrd.img-6.1.0-38-amd64\n"                      \
	"}\n"                                                              \
	"submenu 'Advanced options' $menuentry_id_option 'advanced' {\n"   \
	"\tmenuentry 'Linux 38' --class os $menuentry_id_option 'l38' {\n" \
	"\t\tlinux\t/boot/vmlinuz-38 root=UUID=42 ro  quiet\n"             \
	"\t\tinitrd\t/boot/initrd.img-38\n"                                \
	"\t}\n"                                                            \
	"\tmenuentry 'Linux 35' --class os $menuentry_id_option 'l35' {\n" \
	"\t\tlinux\t/boot/vmlinuz-35 root=UUID=42 ro single\n"             \
	"\t\tinitrd\t/boot/initrd.img-35\n"                                \
	"\t}\n"                                                            \
	"}\n"                                                              \
	"menuentry 'UEFI Firmware Settings' --id 'uefi' {\n"               \
	"\tfwsetup\n"                                                      \
	"}\n"

static void takes_the_first_of_debians(void)
{
	REQUIRE(boot_grub_parse(DEBIAN_HEAD "\"0\"" DEBIAN_TAIL, "", &entry));
	CHECK_TEXT(entry.kernel, "/boot/vmlinuz-6.1.0-38-amd64");
	CHECK_EQUAL(entry.initrd_count, 1);
	CHECK_TEXT(entry.initrds[0], "/boot/initrd.img-6.1.0-38-amd64");
	CHECK_TEXT(entry.cmdline, "root=UUID=42 ro quiet");
}

static void check_default(const char *config, const char *environment,
			  const char *kernel)
{
	CHECK(boot_grub_parse(config, environment, &entry));
	CHECK_TEXT(entry.kernel, kernel);
}

static void finds_the_default(void)
{
	static const char first[] = "/boot/vmlinuz-6.1.0-38-amd64";

	check_default(DEBIAN_HEAD "\"1>1\"" DEBIAN_TAIL, "",
		      "/boot/vmlinuz-35");
	check_default(DEBIAN_HEAD "\"advanced>l35\"" DEBIAN_TAIL, "",
		      "/boot/vmlinuz-35");
	check_default(DEBIAN_HEAD "'Advanced options>Linux 35'" DEBIAN_TAIL, "",
		      "/boot/vmlinuz-35");
	check_default(DEBIAN_HEAD "\"1\"" DEBIAN_TAIL, "", "/boot/vmlinuz-38");
	check_default(DEBIAN_HEAD "\"gnulinux-simple-42\"" DEBIAN_TAIL, "",
		      first);
	/* An entry inside a submenu is not found by its name alone. */
	check_default(DEBIAN_HEAD "\"l35\"" DEBIAN_TAIL, "", first);
	/* Neither what is not there, nor what has no kernel, can be booted. */
	check_default(DEBIAN_HEAD "\"7\"" DEBIAN_TAIL, "", first);
	check_default(DEBIAN_HEAD "\"uefi\"" DEBIAN_TAIL, "", first);
}

static void uses_the_saved_entry(void)
{
	static const char config[] = DEBIAN_HEAD
		"\"${saved_entry}\"" DEBIAN_TAIL;

	check_default(config, "# GRUB\nsaved_entry=advanced>l35\n####",
		      "/boot/vmlinuz-35");
	check_default(config, "", "/boot/vmlinuz-6.1.0-38-amd64");
	/* What is for the next boot only, is for its boot loader. */
	check_default(config, "next_entry=advanced>l35\n",
		      "/boot/vmlinuz-6.1.0-38-amd64");
	check_default(DEBIAN_HEAD "\"0\"" DEBIAN_TAIL,
		      "next_entry=advanced>l35\n",
		      "/boot/vmlinuz-6.1.0-38-amd64");
}

static void takes_ubuntus_initrd(void)
{
	REQUIRE(boot_grub_parse(
		"menuentry 'Ubuntu' {\n"
		"\tif [ \"${initrdfail}\" = 1 ]; then\n"
		"\t  linux\t/vmlinuz-6.8 root=PARTUUID=7 ro console=ttyS0\n"
		"\t  initrd\t/initrd.img-6.8\n"
		"\telse\n"
		"\t  linux\t/vmlinuz-6.8 root=PARTUUID=7 ro panic=-1\n"
		"\tfi\n"
		"\tinitrdfail\n"
		"}\n",
		"", &entry));
	CHECK_TEXT(entry.cmdline, "root=PARTUUID=7 ro console=ttyS0");
	CHECK_EQUAL(entry.initrd_count, 1);
}

static void reads_arch_and_one_line_entries(void)
{
	REQUIRE(boot_grub_parse(
		"menuentry 'Arch Linux' --class arch {\n"
		"\tlinux\t/boot/vmlinuz-linux root=UUID=1 rw $vt_handoff "
		"dyndbg=\"file a +p\"\n"
		"\tinitrd\t/boot/amd-ucode.img /boot/initramfs-linux.img\n"
		"}\n",
		"", &entry));
	CHECK_TEXT(entry.cmdline, "root=UUID=1 rw \"dyndbg=file a +p\"");
	CHECK_EQUAL(entry.initrd_count, 2);
	CHECK_TEXT(entry.initrds[1], "/boot/initramfs-linux.img");

	REQUIRE(boot_grub_parse("menuentry x { linuxefi ($root)/k a; "
				"initrdefi (hd0,gpt1)/i; }",
				"", &entry));
	CHECK_TEXT(entry.kernel, "/k");
	CHECK_TEXT(entry.initrds[0], "/i");
	CHECK_TEXT(entry.cmdline, "a");
}

static void splits_an_unquoted_variable(void)
{
	REQUIRE(boot_grub_parse("menuentry x {\nlinux /k $kernelopts\n}\n",
				"kernelopts=root=/dev/vda1 ro\n", &entry));
	CHECK_TEXT(entry.cmdline, "root=/dev/vda1 ro");
}

static void refuses_what_has_no_kernel(void)
{
	static const char *const texts[] = {
		"",
		"}}}}",
		"{ { {",
		"menuentry",
		"menuentry 'x' {",
		"menuentry 'x' {\nlinux /k\n", /* never closed */
		"menuentry 'x'\nlinux /k\n}\n",
		"menuentry 'x' {\ninitrd /i\n}\n",
		"linux /k\ninitrd /i\n",
		"menuentry 'x' {\nlinux\n}\n",
		"set default=",
	};

	for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
		CHECK(!boot_grub_parse(texts[i], "", &entry));
}

static void refuses_what_does_not_fit(void)
{
	static char text[64 * 1024];
	size_t used = (size_t)sprintf(text, "menuentry x {\nlinux /k");

	while (used < 2 * BOOT_CMDLINE_MAX)
		used += (size_t)sprintf(text + used, " argument");
	sprintf(text + used, "\n}\n");
	CHECK(!boot_grub_parse(text, "", &entry));

	used = (size_t)sprintf(text, "menuentry x {\nlinux /");
	memset(text + used, 'k', BOOT_PATH_MAX);
	sprintf(text + used + BOOT_PATH_MAX, "\n}\n");
	CHECK(!boot_grub_parse(text, "", &entry));

	*text = '\0';
	for (int i = 0; i < 1000; i++)
		strcat(text, "submenu x {\n");
	strcat(text, "menuentry x {\nlinux /k\n}\n");
	CHECK(!boot_grub_parse(text, "", &entry));
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(takes_the_first_of_debians),
		TEST(finds_the_default),
		TEST(uses_the_saved_entry),
		TEST(takes_ubuntus_initrd),
		TEST(reads_arch_and_one_line_entries),
		TEST(splits_an_unquoted_variable),
		TEST(refuses_what_has_no_kernel),
		TEST(refuses_what_does_not_fit),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}
