# shellcheck shell=bash
# The outer machine: a Linux inside QEMU's TCG, which emulates a processor that
# can host guests, so that it has a whole KVM however slow or missing the real
# one is. Needs common.sh, apt.sh and initramfs.sh.

# outer_words ARCH: sets $outer_words to QEMU's words for it. One processor: on
# x86_64, with two of them, QEMU 7.2's TCG now and then locks the outer kernel
# up once an inner guest runs. (Inner guests may have several all the same.)
outer_words() {
	case $1 in
	x86_64) outer_words=(qemu-system-x86_64 -M q35 -cpu "EPYC,+svm") ;;
	aarch64)
		outer_words=(qemu-system-aarch64 -cpu cortex-a76
			-M "virt,virtualization=on,gic-version=3")
		;;
	esac
	outer_words+=(-accel tcg -smp 1 -m 3072 -nodefaults -no-user-config
		-display none -no-reboot -kernel "$BUILD/debian-$1/vmlinuz"
		-append "console=$(outer_console "$1") panic=-1 quiet")
}

outer_console() {
	case $1 in
	x86_64) echo ttyS0 ;;
	aarch64) echo ttyAMA0 ;;
	esac
}

# outer_disk FILE [OPTION]: adds FILE, as it is, as its next disk. On PCI,
# where disks are found in their order; virtio-mmio would reverse it on aarch64.
outer_disk() {
	local id=disk${#outer_words[@]}
	outer_words+=(
		-drive "file=$1,format=raw,if=none,id=$id${2:+,$2}"
		-device "virtio-blk-pci,drive=$id")
}

# outer_initramfs ARCH FOLDER FILE: the outer machine's initial ramdisk, which
# has the FOLDER's files, too; /task among them is what it does.
outer_initramfs() {
	make_initramfs "$1" "$OUTER_MODULES" "$3"
	pack "$2" >>"$3"
}

# --- One guest with its console on ours ---------------------------------------
# outer_alcor ARCH ALCOR WORK [--also DISK]... -- OPTION...: the program ALCOR's
# "run OPTION...", in an outer machine; its console is our stdin and stdout, its
# status ours. Kernels and initial ramdisks are carried in; files of disks are
# the outer machine's disks, bit by bit, so that what the guest writes is in
# them at once. A backing file has to be named as --also DISK. WORK is a folder
# for what it needs.
outer_alcor() {
	local arch=$1 alcor=$2 work=$3
	shift 3
	carried=()
	rm -rf "$work/files"
	mkdir -p "$work/files"
	cp "$alcor" "$work/files/alcor"
	outer_words "$arch"
	while [ "$1" = --also ]; do
		carry_disk "$2" readonly=on
		shift 2
	done
	shift
	carry_options "$work" "$@"
	outer_task >"$work/files/task"
	outer_initramfs "$arch" "$work/files" "$work/outer.img"
	outer_talk "$work"
}

# outer_talk WORK: the person's console is virtio, for the serial port has
# what the outer kernel says.
outer_talk() {
	local guard
	: >"$1/outer.log"
	rm -f "$1/outer.still"
	outer_guard "$1" </dev/null >/dev/null 2>&1 &
	guard=$!
	"${outer_words[@]}" -initrd "$1/outer.img" -serial "file:$1/outer.log" \
		-pidfile "$1/outer.pid" -device virtio-serial-pci \
		-chardev stdio,id=person,signal=off \
		-device virtconsole,chardev=person 2>"$1/outer.err" || true
	kill $guard 2>/dev/null || true
	outer_status=$(tr -d '\r' <"$1/outer.log" |
		sed -n 's/^@@ status \([0-9]*\)$/\1/p')
	if [ -z "$outer_status" ] && [ -e "$1/outer.still" ]; then
		die "the outer machine stood still, as QEMU's emulation makes" \
			"it now and then, and was ended; what was not flushed" \
			"to the disk is lost. Please try again"
	fi
	if [ -z "$outer_status" ]; then
		tail -n 5 "$1/outer.err" "$1/outer.log" >&2
		die "the outer machine ended without a word from alcor"
	fi
	return "$outer_status"
}

# outer_guard WORK: ends the outer machine when its serial port, which says
# every few seconds that it is alive, has kept silent for a while. Counted in
# looks, not by the clock: this machine may have slept.
outer_guard() {
	local size=0 before looks=0 outer_pid
	while [ $looks -lt 24 ]; do
		sleep 5
		before=$size
		size=$(stat -c %s "$1/outer.log")
		looks=$((size == before ? looks + 1 : 0))
	done
	: >"$1/outer.still"
	outer_pid=$(cat "$1/outer.pid")
	kill "$outer_pid"
	sleep 5
	kill -KILL "$outer_pid"
}

# carry_disk FILE [OPTION]
carry_disk() {
	[ -e "$1" ] || die "cannot open $1"
	outer_disk "$@"
	carried+=("$(basename "$1")")
}

# carry_options WORK OPTION...: sets $inner_options to what they are inside.
carry_options() {
	local work=$1 name
	shift
	inner_options=()
	while [ $# -gt 0 ]; do
		inner_options+=("$1")
		case $1 in
		--kernel | --initrd)
			name=${1#--}
			cp "$2" "$work/files/$name"
			inner_options+=("/$name")
			shift
			;;
		--disk)
			carry_disk "${2%%,*}"
			name=$(basename "${2%%,*}")
			inner_options+=("/disks/$name${2#"${2%%,*}"}")
			shift
			;;
		esac
		shift
	done
}

# outer_task: the script that runs alcor in there. The disks get nodes with the
# names of the files, in one folder, so that a backing file is found.
outer_task() {
	local index letters=abcdefghijklmnopqrstuvwxyz
	# For outer_guard.
	echo 'while sleep 10; do echo "@@ alive"; done &'
	echo "mkdir /disks"
	# The driver makes it when the device has answered.
	echo "until [ -e /dev/hvc0 ]; do sleep 0.1; done"
	for index in "${!carried[@]}"; do
		printf 'IFS=: read major minor </sys/block/vd%s/dev\n' \
			"${letters:index:1}"
		# shellcheck disable=SC2016 # they are expanded in there
		printf 'mknod %q b $major $minor\n' "/disks/${carried[index]}"
	done
	echo "echo 1 >/proc/sys/vm/overcommit_memory"
	# With the console as its terminal, for it leaves others' alone.
	printf 'setsid -c /alcor run'
	printf ' %q' "${inner_options[@]}"
	echo ' </dev/hvc0 >/dev/hvc0 2>/dev/hvc0'
	# A line of its own, whatever the kernel says.
	# shellcheck disable=SC2016 # it is expanded in there
	echo 'status=$?; echo; echo "@@ status $status"'
}
