# shellcheck shell=sh
# What the run_ parts of scenarios use. They run where guests can run, under
# dash or busybox alike, each in a folder of its own below $STAGE/out, which its
# prepare_ part may have filled and its judge_ part will see:
#
#   console.log      what the guest said (alcor's output)
#   alcor.log        what alcor said (its errors)
#   status           how alcor ended
#   why              why the scenario failed or was skipped

# fail WHY...: ends the scenario.
fail() {
	echo "$*" >why
	exit 1
}

# skip WHY...: ends the scenario, which could not show anything here.
skip() {
	echo "$*" >why
	exit 77
}

# task: takes from stdin what the guest shall do, as a script for its /bin/sh.
# say TEXT prints a line that saw() finds; off ends the machine, with the root
# file system in order where there is one.
task() {
	{
		cat <<-'END'
			say() { echo "@ $*"; }
			off() {
				sync
				mount -o remount,ro / 2>/dev/null
				poweroff -f -f
			}
			wrote() {
				sync
				for file; do
					say "wrote $(sha256sum "$file")"
				done
			}
		END
		cat
	} >task
}

# machine OPTION...: one run of alcor. The console is not a terminal, and has
# no input.
machine() {
	alcor_status=0
	"$ALCOR" run "$@" >console.log 2>alcor.log </dev/null || alcor_status=$?
	echo "$alcor_status" >status
}

# stock KERNEL OPTION...: a run of an unmodified Debian that does the task as its
# first process. KERNEL is cloud or generic, with the initial ramdisk that
# initramfs-tools made; the first disk is root.qcow2, the last one the task.
stock() {
	stock_kernel=$1
	shift
	stock_last=1
	for option; do
		case $option in
		--disk) stock_last=$((stock_last + 1)) ;;
		esac
	done
	task_disk
	machine --kernel "$STAGE/kernels/$stock_kernel/vmlinuz" \
		--initrd "$STAGE/kernels/$stock_kernel/initrd.img" \
		--disk root.qcow2 "$@" --disk task.img,format=raw,ro \
		--append "$(stock_cmdline)"
}

stock_cmdline() {
	letter=$(echo abcdefghijklmnop | cut -c$((stock_last + 1)))
	echo "root=LABEL=root rw quiet panic=-1" \
		"init=/bin/sh -- /dev/vd$letter"
}

# task_disk: the script as a disk. A shell reads it from there up to its end,
# which empty lines bring to whole sectors.
task_disk() {
	task_bytes=$(wc -c <task)
	{
		cat task
		head -c $((511 - (task_bytes + 511) % 512)) /dev/zero |
			tr '\0' '\n'
	} >task.img
}

# small OPTION...: the cloud kernel with our own small initial ramdisk, which
# does the task; no root disk, and an order of magnitude quicker.
small() {
	small_initrd
	machine --kernel "$STAGE/kernels/cloud/vmlinuz" --initrd initrd \
		--append "${SMALL_APPEND-quiet panic=-1}" "$@"
}

# small_initrd: ./initrd. The kernel unpacks one archive after the other.
small_initrd() {
	{
		cat "$STAGE/small.img"
		echo task | cpio -o -H newc 2>/dev/null
	} >initrd
}

# ended STATUS: alcor has ended with it.
ended() {
	[ "$alcor_status" = "$1" ] ||
		fail "alcor ended with $alcor_status, not $1:" \
			"$(tail -n 1 alcor.log)"
}

# saw PATTERN...: each was a whole line that the guest said.
saw() {
	for pattern; do
		heard | grep -qx -- "$pattern" ||
			fail "the guest did not say: $pattern"
	done
}

# heard: what the guest said, a line each.
heard() {
	tr -d '\r' <console.log | sed -n 's/^.*@ //p'
}

# complained PATTERN: alcor said so, in one sentence.
complained() {
	grep -q -- "$1" alcor.log ||
		fail "alcor did not complain of $1: $(cat alcor.log)"
	[ "$(wc -l <alcor.log)" = 1 ] ||
		fail "alcor said more than a sentence: $(cat alcor.log)"
}
