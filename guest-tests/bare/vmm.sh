# shellcheck shell=sh disable=SC2154 # run-inside sets them
# Sourced by run-inside: how each VMM is told of a scenario, which is in the
# variables that parse() and make_disks() set. Each start_ function becomes
# the VMM, with the time limit around it.

# limited COMMAND...: becomes it; its process id goes to the file.
limited() {
	# shellcheck disable=SC2016 # for the inner shell
	exec timeout -k 3 "$LIMIT" sh -c 'echo $$ >pid; exec "$0" "$@"' "$@"
}

start_vmm() {
	"start_$VMM"
}

# The status of a guest that ended itself with success.
vmm_success() {
	case $VMM-$ARCH in
	qemu-aarch64) echo 0 ;; # has no debug exit: powers off
	*) echo 1 ;;
	esac
}

guest_file() {
	case $ARCH in
	x86_64) echo "$FOLDER/guests/$guest.elf" ;;
	aarch64) echo "$FOLDER/guests/$guest.img" ;;
	esac
}

start_alcor() {
	set -- --kernel "$(guest_file)" --cpus "$cpus" --memory "$memory" \
		--console stdio --debug-exit \
		--cmdline "vmm=alcor cpus=$cpus $words"
	# The guests read no ACPI tables.
	[ "$ARCH" != x86_64 ] || set -- "$@" --discovery cmdline
	[ -n "$reboot" ] || set -- "$@" --no-reboot
	serial=0
	for disk in $disk_files; do
		set -- "$@" --disk "$disk,serial=disk-$serial"
		serial=$((serial + 1))
	done
	for option in $(echo "$with" | tr , ' '); do
		set -- "$@" "$option"
	done
	limited "$ALCOR" run "$@"
}

# qemu_disks: sets the words for disk0.img and on. QEMU numbers the places of
# its aarch64 machine downwards; disk 0 shall be at the lowest address.
qemu_disks() {
	qemu_words=
	serial=0
	for disk in $disk_files; do
		file=${disk%%,*}
		options=${disk#"$file"}
		device="virtio-blk-device,drive=d$serial,serial=disk-$serial"
		drive="if=none,id=d$serial,discard=unmap,file=$file"
		for option in $(echo "$options" | tr , ' '); do
			case $option in
			queues=*) device="$device,num-$option" ;;
			ro) drive="$drive,readonly=on" ;;
			snapshot) drive="$drive,snapshot=on" ;;
			*) drive="$drive,$option" ;;
			esac
		done
		pair="-drive $drive -device $device"
		case $ARCH in
		aarch64) qemu_words="$pair $qemu_words" ;;
		*) qemu_words="$qemu_words $pair" ;;
		esac
		serial=$((serial + 1))
	done
}

# GIC=2 in the environment gives an aarch64 guest the older controller.
start_qemu() {
	accel=tcg
	[ "$ARCH" != "$(uname -m)" ] || [ ! -w /dev/kvm ] || accel=kvm
	case $ARCH in
	x86_64)
		set -- -M microvm,acpi=off -cpu qemu64 \
			-device isa-debug-exit,iobase=0xf4,iosize=4
		;;
	aarch64)
		set -- -M virt,gic-version="${GIC:-3}" -cpu cortex-a57
		;;
	esac
	[ -z "$rng" ] || set -- "$@" -device virtio-rng-device
	qemu_disks
	# shellcheck disable=SC2086 # words without blanks
	limited "qemu-system-$ARCH" "$@" -accel $accel \
		-smp "$cpus" -m "$memory" -nodefaults -no-reboot -display none \
		-serial stdio -global virtio-mmio.force-legacy=false \
		-kernel "$(guest_file)" -append "vmm=qemu cpus=$cpus $words" \
		$qemu_words
}
