# shellcheck shell=sh
# Small initial ramdisks: Debian's static busybox, a few modules, images/init.
# Needs common.sh and apt.sh.

SMALL_MODULES="virtio_ring virtio virtio_mmio virtio_blk pvpanic pvpanic-mmio"
OUTER_MODULES="irqbypass kvm kvm-amd virtio_ring virtio virtio_mmio
	virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk
	virtio_console"

# busybox ARCH: prints the path of a static busybox of ARCH.
busybox() {
	busybox_dir=$BUILD/busybox-$1
	make_folder "$busybox_dir" 1 unpack_busybox "$1" >&2
	echo "$busybox_dir/bin/busybox"
}

unpack_busybox() {
	apt_unpack "$(debian_arch "$1")" "$2" busybox-static
}

# pack FOLDER: the folder's files as an archive that the kernel unpacks, all
# of them root's.
pack() {
	(cd "$1" && find . | cpio --quiet -o -H newc -R 0:0)
}

# make_initramfs ARCH MODULES FILE: the modules are those of the cloud kernel.
make_initramfs() {
	tree=$(mktemp -d "$BUILD/initramfs.XXXXXX")
	mkdir "$tree/bin" "$tree/modules"
	cp "$(busybox "$1")" "$tree/bin/"
	cp guest-tests/images/init "$tree/"
	for module in $2; do
		from=$BUILD/debian-$1/modules/$module.ko
		[ ! -e "$from" ] || cp "$from" "$tree/modules/"
	done
	pack "$tree" >"$3.new"
	rm -rf "$tree"
	publish "$3.new" "$3"
}
