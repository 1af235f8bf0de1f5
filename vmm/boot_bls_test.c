/* vmm/boot_bls_test.c - Fedora's and systemd's entries, and their order. */
#include "vmm/boot_bls.h"

#include "base/math.h"
#include "base/test.h"

static struct boot_bls bls, other;

static void reads_fedoras_entry(void)
{
	REQUIRE(boot_bls_parse(
		"title Fedora Linux (6.8.5-301.fc40.x86_64) 40 (Cloud)\n"
		"version 6.8.5-301.fc40.x86_64\n"
		"linux /vmlinuz-6.8.5-301.fc40.x86_64\n"
		"initrd /initramfs-6.8.5-301.fc40.x86_64.img $tuned_initrd\n"
		"# a comment\n"
		"options root=UUID=4 ro rootflags=subvol=root\r\n"
		"options  console=ttyS0 $tuned_params\n"
		"grub_users $grub_users\n"
		"grub_class fedora",
		"8f-6.8.5-301.fc40.x86_64.conf", "", &bls));
	CHECK_TEXT(bls.name, "8f-6.8.5-301.fc40.x86_64");
	CHECK_TEXT(bls.entry.kernel, "/vmlinuz-6.8.5-301.fc40.x86_64");
	CHECK_EQUAL(bls.entry.initrd_count, 1);
	CHECK_TEXT(bls.entry.initrds[0],
		   "/initramfs-6.8.5-301.fc40.x86_64.img");
	CHECK_TEXT(bls.entry.cmdline, "root=UUID=4 ro rootflags=subvol=root "
				      "console=ttyS0 ");
}

static void takes_options_from_the_environment(void)
{
	static const char environment[] = "# GRUB Environment Block\n"
					  "kernelopts=root=/dev/vda1 ro \n";

	REQUIRE(boot_bls_parse("linux /k\noptions $kernelopts", "a.conf",
			       environment, &bls));
	CHECK_TEXT(bls.entry.cmdline, "root=/dev/vda1 ro ");
}

static void knows_the_saved_entry(void)
{
	REQUIRE(boot_bls_parse("linux /k", "a-1.conf", "", &bls));
	CHECK(boot_bls_is_saved(&bls, "saved_entry=a-1\n"));
	CHECK(!boot_bls_is_saved(&bls, "saved_entry=a-2\n"));
	CHECK(!boot_bls_is_saved(&bls, ""));
}

static void refuses_what_has_no_kernel(void)
{
	static char text[64 * 1024];

	CHECK(!boot_bls_parse("", "a.conf", "", &bls));
	CHECK(!boot_bls_parse("linux", "a.conf", "", &bls));
	CHECK(!boot_bls_parse("efi /a.efi\n", "a.conf", "", &bls));
	CHECK(!boot_bls_parse("initrd /i\noptions ro\n", "a.conf", "", &bls));

	strcpy(text, "linux /k\noptions ");
	memset(text + strlen(text), 'x', 2 * BOOT_CMDLINE_MAX);
	CHECK(!boot_bls_parse(text, "a.conf", "", &bls));
	strcpy(text, "linux /k\ninitrd ");
	for (int i = 0; i <= BOOT_INITRDS_MAX; i++)
		strcat(text, " /i");
	CHECK(!boot_bls_parse(text, "a.conf", "", &bls));
}

/* The first stands before the second. */
static void check_order(const char *text, const char *name,
			const char *other_text, const char *other_name)
{
	boot_bls_parse(text, name, "", &bls);
	boot_bls_parse(other_text, other_name, "", &other);
	CHECK(boot_bls_compare(&bls, &other) < 0);
	CHECK(boot_bls_compare(&other, &bls) > 0);
	CHECK_EQUAL(boot_bls_compare(&bls, &bls), 0);
}

static void orders_entries(void)
{
	/* Without a key to sort by: the newest name. */
	check_order("linux /k\nversion 1", "8f-6.10.2.conf",
		    "linux /k\nversion 2", "8f-6.9.12.conf");
	check_order("linux /k", "8f-6.9.12.conf", "linux /k",
		    "8f-0-rescue.conf");
	/* Those that have one stand before. */
	check_order("linux /k\nsort-key z\nversion 1", "a.conf", "linux /k",
		    "b.conf");
	check_order("linux /k\nsort-key a\nversion 1", "a.conf",
		    "linux /k\nsort-key b\nversion 2", "b.conf");
	/* Of one system: the newest version. */
	check_order("linux /k\nsort-key a\nmachine-id 1\nversion 10", "a.conf",
		    "linux /k\nsort-key a\nmachine-id 1\nversion 9", "b.conf");
	check_order("linux /k\nsort-key a\nmachine-id 1\nversion 9", "a.conf",
		    "linux /k\nsort-key a\nmachine-id 2\nversion 10", "b.conf");
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(reads_fedoras_entry),
		TEST(takes_options_from_the_environment),
		TEST(knows_the_saved_entry),
		TEST(refuses_what_has_no_kernel),
		TEST(orders_entries),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}
