# shellcheck shell=sh
# What cannot work is refused before a guest starts: status 2, one sentence that
# names what is wrong, nothing written.

prepare_refused() {
	echo "this is no kernel" >text
	qemu-img create -q -f qcow2 good.qcow2 1M
	truncate -s 1M raw.img
	head -c 200 good.qcow2 >short.qcow2
	{
		head -c 4 good.qcow2
		printf '\0\0\0\11'
		tail -c +9 good.qcow2
	} >version9.qcow2
	qemu-img create -q -f qcow2 -b gone.qcow2 -F qcow2 -u orphan.qcow2 1M
	mkdir below
	qemu-img create -q -f qcow2 -b ../good.qcow2 -F qcow2 below/it.qcow2
	qemu-img create -q -f qcow2 -b json:{} -F qcow2 -u json.qcow2 1M
	qemu-img create -q -f qcow2 -o data_file=data.raw with-data.qcow2 1M
	# The header's crypt_method, 1 for AES: qemu-img itself hesitates to make
	# such an image.
	qemu-img create -q -f qcow2 secret.qcow2 1M
	printf '\0\0\0\1' | dd of=secret.qcow2 bs=1 seek=32 conv=notrunc \
		status=none
	foreign_kernel
	sha256sum -- *.qcow2 >untouched
}

# foreign_kernel: a file that says it is the other architecture's kernel, by the
# magic numbers of an arm64 Image or of a bzImage.
foreign_kernel() {
	truncate -s 1M foreign
	case $ARCH in
	x86_64)
		printf 'ARM\144' |
			dd of=foreign bs=1 seek=56 conv=notrunc status=none
		;;
	aarch64)
		printf '\125\252\0\0HdrS' |
			dd of=foreign bs=1 seek=510 conv=notrunc status=none
		;;
	esac
}

# refused PATTERN OPTION...
refused() {
	refused_pattern=$1
	shift
	refused_status=0
	# KILL, for the first TERM would only press a power button.
	timeout -s KILL 20 "$ALCOR" "$@" >refused.out 2>alcor.log </dev/null ||
		refused_status=$?
	[ "$refused_status" = 2 ] ||
		fail "alcor $*: status $refused_status, not 2"
	complained "$refused_pattern"
}

# refused_disk PATTERN DISK
refused_disk() {
	refused "$1" run --kernel "$kernel" --disk "$2"
}

run_refused() {
	kernel=$STAGE/kernels/cloud/vmlinuz
	refused "frobnicate.*" frobnicate
	refused "--cpus" run --cpu 2 --kernel "$kernel"
	refused "--cpus" run --cpus none --kernel "$kernel"
	refused "--cpus" run --cpus 0 --kernel "$kernel"
	refused "--memory" run --memory 5X --kernel "$kernel"
	refused "--memory" run --memory 1K --kernel "$kernel"
	refused "--timeout" run --timeout soon --kernel "$kernel"
	refused "value" run --kernel
	refused "--kernel" run
	refused "gone" run --kernel gone
	refused "text" run --kernel text
	refused "foreign" run --kernel foreign
	refused "gone" run --kernel "$kernel" --initrd gone
	refused "initrd" run --kernel "$kernel" --memory 200M \
		--initrd "$STAGE/debian.qcow2"
	refused "gone" run --kernel "$kernel" --disk gone
	refused_disk "form" good.qcow2,format=vmdk
	refused_disk "key" good.qcow2,frob=1
	refused_disk "good" good.qcow2,ro,snapshot
	refused_disk "raw.img" raw.img
	refused_disk "short" short.qcow2
	refused_disk "version" version9.qcow2
	refused_disk "gone.qcow2" orphan.qcow2
	refused_disk "good.qcow2" below/it.qcow2
	refused_disk "json" json.qcow2
	refused_disk "data" with-data.qcow2
	refused_disk "crypt" secret.qcow2
	refused_disk "text" text
	refused_disk "neither" /dev/null
	refused "good" run --kernel "$kernel" --disk good.qcow2 \
		--disk good.qcow2
}

judge_refused() {
	sha256sum --quiet -c untouched || fail "an image was changed"
}

# A /dev/kvm that is none. Hiding the real one takes a name space of our own.
run_no_kvm() {
	unshare -m true 2>/dev/null || skip "no name spaces here"
	refused_status=0
	unshare -m sh -c 'mount --bind /dev/null /dev/kvm && exec "$@"' sh \
		"$ALCOR" run --kernel "$STAGE/kernels/cloud/vmlinuz" \
		>refused.out 2>alcor.log </dev/null || refused_status=$?
	[ "$refused_status" = 2 ] || fail "status $refused_status, not 2"
	complained /dev/kvm
}

scenario refused 120 refused
scenario refused-no-kvm 120 no_kvm
