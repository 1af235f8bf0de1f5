# shellcheck shell=sh
# How a machine ends, and with which status.

prepare_reboot() {
	truncate -s 1M disk.img
}

# The guest counts its boots on a disk, which outlives them: the machine really
# starts anew, and the disk is the same.
reboot_task() {
	task <<-END
		last=$1
	END
	cat >>task <<-'END'
		boots=$(head -c 1 /dev/vda | tr '\0' 0)
		boots=$((boots + 1))
		say "boot $boots"
		echo $boots | dd of=/dev/vda conv=fsync 2>/dev/null
		[ $boots -lt $last ] || off
		reboot -f
	END
}

# run_reboot CPUS BOOTS
run_reboot() {
	reboot_task "$2"
	small --cpus "$1" --disk disk.img,format=raw
	ended 0
	for boot in $(seq "$2"); do
		saw "boot $boot"
	done
}

run_no_reboot() {
	reboot_task 3
	small --disk disk.img,format=raw --no-reboot
	ended 3
	saw "boot 1"
	if heard | grep -q "boot 2"; then
		fail "the guest was started again"
	fi
}

prepare_no_reboot() {
	prepare_reboot
}

# A kernel without a driver for our panic device resets the machine, as it was
# told to on its command line.
run_panic() {
	task <<-'END'
		say going
		echo c >/proc/sysrq-trigger
	END
	small --no-reboot
	saw going
	grep -q "Kernel panic" console.log || fail "the kernel did not panic"
	if [ "$ARCH" = x86_64 ]; then
		ended 4
	else
		ended 3
	fi
}

run_triple_fault() {
	task <<-'END'
		say going
		reboot -f
	END
	SMALL_APPEND="quiet reboot=triple"
	small
	saw going
	ended 5
	grep -qi "rip" alcor.log || fail "alcor printed no registers"
}

run_timeout() {
	task <<-'END'
		say waiting
		sleep 1000
	END
	small --timeout 20s
	ended 124
	saw waiting
}

scenario reboot 120 reboot 1 3
scenario reboot-2-cpu 180 reboot 2 2
scenario no-reboot 120 no_reboot
scenario panic 120 panic
if [ "$ARCH" = x86_64 ]; then
	scenario triple-fault 120 triple_fault
fi
scenario timeout 120 timeout
