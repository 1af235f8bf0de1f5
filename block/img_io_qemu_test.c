/* block/img_io_qemu_test.c - the commands of "io", beside qemu-io's. */
#include "block/test_img.h"

static void io_is_the_same(void)
{
	static const char *const commands[] = {
		"qemu-io -c 'write -P 7 0 1024' -c 'read -v 0 48' "
		"-c 'read -P 7 0 2k' -c 'read -P 7 -l 1k 0 2k' "
		"-c 'read -P 7 -s 1k -l 1k 0 2k' -c 'writev 0 512 1k' "
		"-c 'readv -v 8 16 16' -c 'write -C 0 64k' x",
		"qemu-io -c 'write -c -P 5 768k 64k' -c 'write -c 2M 65k' "
		"-c 'write -c 3k 64k' -c 'read -P 5 768k 64k' x",
		"qemu-io -c 'aio_write -P 3 0 512 512' -c aio_flush "
		"-c 'aio_read -P 4 0 512' -c aio_flush -c 'discard 0 64k' "
		"-c 'discard 1 2' -c 'write 63M 2M' -c 'read 64M 512' x",
		"qemu-io -c 'read 0 -1' -c 'read' -c 'read -x 0 1' "
		"-c 'write -P 300 0 1' -c 'write -z -P 1 0 512' "
		"-c 'write -u 0 512' -c 'read 0 3G' -c 'read 0 foo' "
		"-c 'foo' -c 'flush 1' -c 'help foo' x",
		"qemu-io -c 'write 1 3' -c 'write -z 1001 70000' "
		"-c 'write -z -u 64k 64k' -c 'write -f 0 512' -c 'write 0 0' "
		"-c 'alloc 0 1M' -c map -c length -c info x",
		"qemu-io -c 'reopen -r' -c 'write 0 512' -c 'reopen -w' "
		"-c 'write 0 512' -c 'close' -c 'read 0 1' -c 'open x' "
		"-c 'open x' -c 'length' -c 'q' -c length x",
		"qemu-io -r -c 'write 0 512' -c 'discard 0 512' x",
		"qemu-io -s -c 'write 0 512' -c 'read -P 0xcd 0 512' x",
		"qemu-io -n -c 'write 5 600' -c 'read -P 0xcd 5 600' x",
		"qemu-io -C -c 'read 0 1M' -c map x",
	};

	if (!test_img_ready())
		return;
	CHECK(!test_shell("qemu-img create -f qcow2 -b base.qcow2 -F qcow2 "
			  "before 3M"));
	test_img_compare_changes(commands, ARRAY_LENGTH(commands));
	test_shell("rm before");
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(io_is_the_same),
	};

	return test_main_in_folder(argc, argv, tests, ARRAY_LENGTH(tests));
}
