# shellcheck shell=sh
# The outer machine: a Linux inside QEMU's TCG, which emulates a processor that
# can host guests, so that it has a whole KVM however slow or missing the real
# one is. Needs common.sh, apt.sh and initramfs.sh.

# outer_qemu ARCH: prints QEMU's words for it. One processor on x86_64: with
# two, QEMU 7.2's TCG now and then locks the outer kernel up once an inner guest
# runs. (Inner guests may have several all the same.)
outer_qemu() {
	case $1 in
	x86_64) echo "qemu-system-x86_64 -M q35 -cpu EPYC,+svm" ;;
	aarch64)
		echo "qemu-system-aarch64 -cpu cortex-a57" \
			"-M virt,virtualization=on,gic-version=3"
		;;
	esac
	echo "-accel tcg -smp 1 -m 3072 -nodefaults -no-user-config" \
		"-display none -no-reboot -kernel $BUILD/debian-$1/vmlinuz"
}

outer_disk_device() {
	case $1 in
	x86_64) echo virtio-blk-pci ;;
	aarch64) echo virtio-blk-device ;;
	esac
}

outer_console() {
	case $1 in
	x86_64) echo ttyS0 ;;
	aarch64) echo ttyAMA0 ;;
	esac
}

# outer_initramfs ARCH FOLDER FILE: the outer machine's initial ramdisk, which
# has the FOLDER's files, too; /task among them is what it does.
outer_initramfs() {
	make_initramfs "$1" "$OUTER_MODULES" "$3"
	pack "$2" >>"$3"
}
