/*
 * vmm/image_boot_test.c - whole disks: what is chosen from them, what the
 * command line becomes, and what is said where nothing is found.
 */
#include "vmm/image_boot.h"

#include "base/test.h"
#include "vmm/test_disk.h"

#define FIRST	  (1 * MIB)
#define SECOND	  (5 * MIB)
#define FS_SIZE	  (4 * MIB)
#define DISK_SIZE (10 * MIB)

static struct test_disk disk;
static struct image_boot boot;
static struct err err;

/* What a disk boots; the path is behind the disk's name. */
struct wanted {
	struct part {
		const char *path, *data;
		size_t size;
	} kernel, initrd; /* path NULL: none */
	const char *cmdline;
};

#define PART(path, text)                                   \
	{                                                  \
		"disk.qcow2:" path, text, sizeof(text) - 1 \
	}

/* A file system with these files, which end with an empty one; NULL: none. */
static void make(uint64_t offset, const struct test_file *files)
{
	size_t count = 0;

	while (files && files[count].path)
		count++;
	if (files)
		CHECK(test_disk_make_fs(&disk, offset, FS_SIZE, "-t ext4",
					files, count));
}

/* Two partitions of FS_SIZE; the disk's signature is 0x04030201. */
static void set_up_empty(void)
{
	test_disk_init(&disk, DISK_SIZE);
	test_disk_set_mbr(&disk, 0, 0x83, FIRST / 512, FS_SIZE / 512);
	test_disk_set_mbr(&disk, 1, 0x83, SECOND / 512, FS_SIZE / 512);
	memcpy(disk.data + 440, "\1\2\3\4", 4);
}

static bool have_mke2fs(void)
{
	if (test_has_mke2fs())
		return true;
	test_skip_reason = "mke2fs (package e2fsprogs) is not installed";
	return false;
}

/* False if the test has to be skipped. */
static bool set_up(const struct test_file *first,
		   const struct test_file *second)
{
	if (!have_mke2fs())
		return false;
	set_up_empty();
	make(FIRST, first);
	make(SECOND, second);
	return true;
}

static void check_part(const struct fd_map *map, const struct part *wanted)
{
	if (!CHECK(map->size == wanted->size) || !wanted->path)
		return;
	CHECK_TEXT(map->path, wanted->path);
	CHECK(!memcmp(map->data, wanted->data, wanted->size));
}

/* Takes the disk down. */
static void check_boots(const struct wanted *wanted)
{
	if (CHECK(!image_boot_open(&disk.view, "disk.qcow2", &boot, &err))) {
		check_part(&boot.kernel, &wanted->kernel);
		check_part(&boot.initrd, &wanted->initrd);
		CHECK_TEXT(boot.cmdline, wanted->cmdline);
		image_boot_close(&boot);
	} else {
		printf("# %s\n", err.text);
	}
	test_disk_fini(&disk);
}

static const struct test_file debian_root[] = {
	{"vmlinuz", NULL, "boot/vmlinuz-6.1", 0},
	{"initrd.img", NULL, "boot/initrd.img-6.1", 0},
	{"boot/vmlinuz-6.1", "kernel 6.1", NULL, 0},
	{"boot/initrd.img-6.1", "initrd 6.1", NULL, 0},
	{"sbin/init", "init", NULL, 0},
	{0},
};

static void boots_debian_by_its_links(void)
{
	static const struct wanted wanted = {
		.kernel = PART("/vmlinuz", "kernel 6.1"),
		.initrd = PART("/initrd.img", "initrd 6.1"),
		.cmdline = "root=PARTUUID=04030201-02 ro console=ttyS0",
	};

	if (set_up(NULL, debian_root))
		check_boots(&wanted);
}

static void takes_a_bare_file_system(void)
{
	static const struct wanted wanted = {
		.kernel = PART("/vmlinuz", "kernel 6.1"),
		.initrd = PART("/initrd.img", "initrd 6.1"),
		.cmdline = "root=/dev/vda ro console=ttyS0",
	};

	if (!have_mke2fs())
		return;
	test_disk_init(&disk, DISK_SIZE);
	make(0, debian_root);
	check_boots(&wanted);
}

/* A /boot of its own, behind a root whose files must not win. */
static void prefers_a_configuration(void)
{
	static const struct test_file files[] = {
		{"vmlinuz-6.8", "kernel 6.8", NULL, 0},
		{"initrd.img-6.8", "initrd 6.8", NULL, 0},
		{"ucode", "uc\n", NULL, 0},
		{"grub/grubenv", "saved_entry=other\n", NULL, 0},
		{"grub/grub.cfg",
		 "set default=\"${saved_entry}\"\n"
		 "menuentry 'a' {\nlinux /vmlinuz-gone\n}\n"
		 "menuentry 'b' --id other {\n"
		 "linux /vmlinuz-6.8 root=LABEL=x ro console=ttyS0,115200\n"
		 "initrd /ucode /initrd.img-6.8\n}\n",
		 NULL, 0},
		{0},
	};
	static const struct wanted wanted = {
		.kernel = PART("/vmlinuz-6.8", "kernel 6.8"),
		.initrd = PART("/ucode", "uc\n\0initrd 6.8"),
		.cmdline = "root=LABEL=x ro console=ttyS0,115200",
	};

	if (set_up(debian_root, files))
		check_boots(&wanted);
}

static void takes_the_newest_of_fedoras(void)
{
	static const struct test_file files[] = {
		{"vmlinuz-6.9", "kernel 6.9", NULL, 0},
		{"vmlinuz-6.10", "kernel 6.10", NULL, 0},
		{"loader/entries/m-6.9.conf",
		 "linux /vmlinuz-6.9\noptions $kernelopts\n", NULL, 0},
		{"loader/entries/m-6.10.conf",
		 "linux /vmlinuz-6.10\noptions $kernelopts console=ttyS01\n",
		 NULL, 0},
		{"loader/entries/m-6.11.conf", "linux /vmlinuz-6.11\n", NULL,
		 0},
		{"grub2/grubenv", "kernelopts=root=UUID=7\n", NULL, 0},
		{"grub2/grub.cfg", "menuentry x {\nlinux /vmlinuz-6.9\n}\n",
		 NULL, 0},
		{0},
	};
	static const struct wanted wanted = {
		.kernel = PART("/vmlinuz-6.10", "kernel 6.10"),
		.cmdline = "root=UUID=7 console=ttyS01 console=ttyS0",
	};

	if (set_up(files, NULL))
		check_boots(&wanted);
}

static void boots_alpine_by_relative_paths(void)
{
	static const struct test_file files[] = {
		{"boot/vmlinuz-virt", "kernel", NULL, 0},
		{"boot/initramfs-virt", "initrd", NULL, 0},
		{"boot/extlinux.conf",
		 "LABEL virt\nLINUX vmlinuz-virt\nINITRD initramfs-virt\n"
		 "APPEND root=UUID=1\n",
		 NULL, 0},
		{0},
	};
	static const struct wanted wanted = {
		.kernel = PART("/boot/vmlinuz-virt", "kernel"),
		.initrd = PART("/boot/initramfs-virt", "initrd"),
		.cmdline = "root=UUID=1 console=ttyS0",
	};

	if (set_up(files, NULL))
		check_boots(&wanted);
}

static void boots_the_newest_by_name(void)
{
	static const struct test_file files[] = {
		{"vmlinuz-6.1.0-9", "9", NULL, 0},
		{"vmlinuz-6.1.0-10", "10", NULL, 0},
		{"initrd.img-6.1.0-9", "9", NULL, 0},
		{"initramfs-6.1.0-10.img", "ten", NULL, 0},
		{0},
	};
	static const struct test_file root[] = {
		{"lib/systemd/systemd", "init", NULL, 0},
		{"sbin/init", NULL, "/lib/systemd/systemd", 0},
		{0},
	};
	static const struct wanted wanted = {
		.kernel = PART("/vmlinuz-6.1.0-10", "10"),
		.initrd = PART("/initramfs-6.1.0-10.img", "ten"),
		.cmdline = "root=PARTUUID=04030201-02 ro console=ttyS0",
	};

	if (set_up(files, root))
		check_boots(&wanted);
}

/* --- Where nothing can be booted ------------------------------------------ */

static void check_refused(const char *words)
{
	CHECK_EQUAL(image_boot_open(&disk.view, "disk.qcow2", &boot, &err),
		    -ENOENT);
	if (!CHECK(strstr(err.text, words)))
		printf("# %s\n", err.text);
	CHECK(strstr(err.text, "disk.qcow2"));
	CHECK(strstr(err.text, "--kernel"));
}

static void says_what_it_found(void)
{
	set_up_empty();
	check_refused("nothing known on partition 1, "
		      "nothing known on partition 2");
	memcpy(disk.data + FIRST + 82, "FAT32", 5);
	memcpy(disk.data + SECOND + 0x10040, "_BHRfS_M", 8);
	check_refused("vfat on partition 1, btrfs on partition 2");
	memcpy(disk.data + FIRST, "XFSB", 4);
	memcpy(disk.data + SECOND, "LUKS\xba\xbe", 6);
	check_refused("xfs on partition 1, LUKS on partition 2");
	test_disk_fini(&disk);

	test_disk_init(&disk, DISK_SIZE);
	check_refused("nothing known on the whole disk");
	test_disk_fini(&disk);
}

static void says_what_is_missing(void)
{
	static const struct test_file files[] = {
		{"boot/grub/grub.cfg", "menuentry x {\nlinux /gone\n}\n", NULL,
		 0},
		{0},
	};

	if (!set_up(files, NULL))
		return;
	check_refused("/boot/grub/grub.cfg names /gone, which is not there");
	test_disk_fini(&disk);
}

static void says_what_is_damaged(void)
{
	set_up_empty();
	memcpy(disk.data + SECOND + 1024 + 56, "\x53\xef", 2);
	check_refused("partition 2: its ext file system is damaged");
	test_disk_fini(&disk);
}

static void refuses_an_empty_kernel(void)
{
	static const struct test_file files[] = {
		{"boot/vmlinuz", "", NULL, 0},
		{0},
	};

	if (!set_up(files, NULL))
		return;
	CHECK_EQUAL(image_boot_open(&disk.view, "disk.qcow2", &boot, &err),
		    -EINVAL);
	CHECK(strstr(err.text, "/boot/vmlinuz is empty"));
	test_disk_fini(&disk);
}

static int failing_read(void *context, uint64_t offset, void *buffer,
			size_t length)
{
	if (offset >= SECOND + 64 * KIB)
		return -EIO;
	return test_disk_read(context, offset, buffer, length);
}

static void tells_of_read_errors(void)
{
	if (!set_up(NULL, debian_root))
		return;
	disk.view.read = failing_read;
	CHECK(image_boot_open(&disk.view, "disk.qcow2", &boot, &err) < 0);
	CHECK(strstr(err.text, "Input/output error"));
	test_disk_fini(&disk);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(boots_debian_by_its_links),
		TEST(takes_a_bare_file_system),
		TEST(prefers_a_configuration),
		TEST(takes_the_newest_of_fedoras),
		TEST(boots_alpine_by_relative_paths),
		TEST(boots_the_newest_by_name),
		TEST(says_what_it_found),
		TEST(says_what_is_missing),
		TEST(says_what_is_damaged),
		TEST(refuses_an_empty_kernel),
		TEST(tells_of_read_errors),
	};

	return test_main(argc, argv, tests, ARRAY_LENGTH(tests));
}
