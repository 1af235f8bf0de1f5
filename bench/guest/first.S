/*
 * bench/guest/first.S - a kernel that says "!" to the serial port and ends the
 * machine with its first instructions, by whatever way it is entered; and a
 * firmware (section .rom) that does the same.
 *
 * The kernel has the form of a bzImage (Documentation/x86/boot.rst of Linux):
 * one sector of setup code, and protected-mode code with its 32-bit entry at 0
 * and its 64-bit entry at 0x200.
 */
#define COM1	   0x3f8
#define DEBUG_EXIT 0xf4

#define SECTOR	      512
#define HEADER	      0x1f1
#define LOADED_HIGH   1
#define KERNEL_64     1
#define PREFERRED     0x1000000
#define INIT_SIZE     0x2000000

	.macro say_and_end
	mov $COM1, %dx
	mov $'!', %al
	out %al, %dx
	out %al, $DEBUG_EXIT
1:	jmp 1b
	.endm

	.section .kernel, "ax"
	.code16
	.org HEADER
	.byte 1			/* setup_sects */
	.word 0			/* root_flags */
	.long 0			/* syssize, in 16 bytes: QEMU takes the file's */
	.word 0, 0, 0		/* ram_size, vid_mode, root_dev */
	.word 0xaa55		/* boot_flag */
	.byte 0xeb, setup - header_magic /* jump */
header_magic:
	.ascii "HdrS"
	.word 0x020c		/* version */
	.long 0			/* realmode_swtch */
	.word 0, 0		/* start_sys_seg, kernel_version */
	.byte 0			/* type_of_loader */
	.byte LOADED_HIGH	/* loadflags */
	.word 0			/* setup_move_size */
	.long 0x100000		/* code32_start */
	.long 0, 0		/* ramdisk_image, ramdisk_size */
	.long 0			/* bootsect_kludge */
	.word 0			/* heap_end_ptr */
	.byte 0, 0		/* ext_loader_ver, ext_loader_type */
	.long 0			/* cmd_line_ptr */
	.long 0x7fffffff	/* initrd_addr_max */
	.long 0x200000		/* kernel_alignment */
	.byte 1			/* relocatable_kernel */
	.byte 21		/* min_alignment */
	.word KERNEL_64		/* xloadflags */
	.long 2047		/* cmdline_size */
	.long 0			/* hardware_subarch */
	.quad 0			/* hardware_subarch_data */
	.long 0, 0		/* payload_offset, payload_length */
	.quad 0			/* setup_data */
	.quad PREFERRED		/* pref_address */
	.long INIT_SIZE		/* init_size */
	.long 0			/* handover_offset */
setup:
	say_and_end

	.org 2 * SECTOR
	.code32
	say_and_end
	.org 3 * SECTOR
	.code64
	say_and_end

	/* 64 KiB that end at 4 GiB; the CPU starts at 16 bytes below. */
	.section .rom, "ax"
	.code16
	.org 0xfff0
	say_and_end
	.org 0x10000
