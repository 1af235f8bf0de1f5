# shellcheck shell=sh
# Images of every kind as the guest's disk: what QEMU wrote is what the guest
# reads, and what the guest then writes is what QEMU reads.

# prepare_image KIND: disk.img of 24 MiB; expected has the checksum of what the
# guest shall read.
prepare_image() {
	contents
	case $1 in
	raw) cp raw disk.img ;;
	v2) quietly qemu-img convert -O qcow2 -o compat=0.10 raw disk.img ;;
	v3) quietly qemu-img convert -O qcow2 raw disk.img ;;
	compressed) quietly qemu-img convert -c -O qcow2 raw disk.img ;;
	zstd)
		quietly qemu-img convert -c -O qcow2 \
			-o compression_type=zstd raw disk.img
		;;
	small-clusters)
		quietly qemu-img convert -O qcow2 \
			-o cluster_size=512,refcount_bits=64 raw disk.img
		;;
	large-clusters)
		quietly qemu-img convert -O qcow2 -o cluster_size=2M raw \
			disk.img
		;;
	chain) chain ;;
	zero-clusters)
		quietly qemu-img convert -O qcow2 raw disk.img
		qemu_io disk.img "write -z 1M 3M" "write -z -u 9M 64k"
		qemu_io -f raw raw "write -z 1M 3M" "write -z 9M 64k"
		;;
	esac
	sha256sum <raw | cut -d' ' -f1 >expected
	rm raw
}

# contents: raw, with noise, text that can be compressed, and holes.
contents() {
	truncate -s 24M raw
	dd if=/dev/urandom of=raw bs=1M count=4 conv=notrunc status=none
	seq 500000 | dd of=raw bs=1M seek=6 conv=notrunc status=none
	dd if=/dev/urandom of=raw bs=512 count=3 seek=30001 conv=notrunc \
		status=none
}

# qemu_io [-f FORMAT] FILE COMMAND...
qemu_io() {
	io_format=qcow2
	if [ "$1" = -f ]; then
		io_format=$2
		shift 2
	fi
	io_file=$1
	shift
	for io_command; do
		quietly qemu-io -f "$io_format" -c "$io_command" "$io_file"
	done
}

# Three layers: a raw file shorter than the disk, a compressed image, and a
# plain one, each with something of its own.
chain() {
	dd if=raw of=base.raw bs=1M count=10 status=none
	qemu-img create -q -f qcow2 -b base.raw -F raw middle.qcow2 24M
	qemu_io middle.qcow2 "write -P 17 2M 700k" "write -P 18 12M 1M"
	qemu-img create -q -f qcow2 -b middle.qcow2 -F qcow2 disk.img
	qemu_io disk.img "write -P 19 2200k 100k" "write -z 3M 128k"
	quietly qemu-img convert -O raw disk.img raw
}

# The guest reads all of its disk, writes here and there (a part of a cluster,
# many at once, over noise, over compressed text, into a hole, across a megabyte's
# border), and reads all of it again from the disk.
run_image() {
	task <<-'END'
		sum() {
			echo 3 >/proc/sys/vm/drop_caches
			sha256sum </dev/vda | cut -d' ' -f1
		}
		put() {
			dd if=/dev/urandom of=/dev/vda conv=notrunc "$@" \
				2>/dev/null || say "failed $*"
		}
		say "before $(sum)"
		put bs=512 seek=1000 count=1
		put bs=4k seek=700 count=3
		put bs=1M seek=6 count=1
		put bs=64k seek=111 count=17
		put bs=4k seek=4000 count=9
		put bs=1k seek=20479 count=2
		sync
		say "after $(sum)"
		off
	END
	format=qcow2
	[ "$1" != raw ] || format=raw
	small --disk disk.img,format=$format
	ended 0
	saw "before $(cat expected)"
	if heard | grep "^failed"; then
		fail "the guest could not write: $(heard | grep '^failed')"
	fi
}

judge_image() {
	format=qcow2
	[ "$1" != raw ] || format=raw
	if [ $format = qcow2 ]; then
		image_clean disk.img
	fi
	quietly qemu-img convert -f $format -O raw disk.img raw
	sum=$(sha256sum <raw | cut -d' ' -f1)
	rm raw
	[ "after $sum" = "$(heard | grep '^after')" ] ||
		fail "QEMU does not read what the guest wrote"
}

for kind in raw v2 v3 compressed zstd small-clusters large-clusters chain \
	zero-clusters; do
	scenario image-$kind 120 image $kind
done

# With ro the guest cannot write; with snapshot it can, and sees what it wrote,
# until the end. Either way the image's file stays as it is, to the byte.
prepare_untouched() {
	contents
	quietly qemu-img convert -O qcow2 raw disk.img
	rm raw
	sha256sum disk.img >untouched
}

run_untouched() {
	task <<-'END'
		say "ro $(cat /sys/block/vda/ro)"
		if seq 10000 | dd of=/dev/vda bs=4k seek=5 conv=fsync; then
			echo 3 >/proc/sys/vm/drop_caches
			say "read $(dd if=/dev/vda bs=4k skip=5 count=1 |
				head -n 1)"
		fi 2>/dev/null
		off
	END
	small --disk "disk.img,$1"
	ended 0
	case $1 in
	ro) saw "ro 1" ;;
	snapshot) saw "ro 0" "read 1" ;;
	esac
	sha256sum -c untouched >/dev/null || fail "the image was changed"
}

judge_untouched() {
	sha256sum --quiet -c untouched || fail "the image was changed"
}

scenario image-ro 120 untouched ro
scenario image-snapshot 120 untouched snapshot
