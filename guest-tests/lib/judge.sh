# shellcheck shell=sh
# What the prepare_ and judge_ parts of scenarios use, on the host.

# fail WHY...: ends the judgement.
fail() {
	echo "$*" >why
	exit 1
}

quietly() {
	"$@" >>script.log 2>&1
}

# root_disk: root.qcow2, an empty overlay of the Debian disk, which must lie
# beside it: alcor opens a backing file elsewhere only when told to.
root_disk() {
	ln "$STAGE/debian.qcow2" debian.qcow2
	qemu-img create -q -f qcow2 -b debian.qcow2 -F qcow2 root.qcow2
}

# image_clean FILE: no errors and no leaks in QEMU's eyes.
image_clean() {
	quietly qemu-img check "$1" || fail "qemu-img check $1: status $?"
}

# root_clean: root.qcow2 is clean as an image and as a file system; leaves its
# contents in root.raw.
root_clean() {
	ln -f "$STAGE/debian.qcow2" debian.qcow2
	image_clean root.qcow2
	quietly qemu-img convert -O raw root.qcow2 root.raw
	quietly e2fsck -f -n "root.raw?offset=$((1 << 20))" ||
		fail "e2fsck of root.qcow2: status $?"
}

# files_found: every file that the guest said it wrote is in root.raw, with the
# checksum that the guest saw.
files_found() {
	heard | sed -n 's/^wrote \([0-9a-f]\{64\}\)/\1/p' >wrote
	[ -s wrote ] || fail "the guest wrote no file"
	while read -r sum path; do
		debugfs -R "dump $path found" \
			"root.raw?offset=$((1 << 20))" >>script.log 2>&1
		[ "$(sha256sum <found | cut -d' ' -f1)" = "$sum" ] ||
			fail "$path is not what the guest wrote"
		rm found
	done <wrote
	rm root.raw
}

heard() {
	tr -d '\r' <console.log | sed -n 's/^.*@ //p'
}
