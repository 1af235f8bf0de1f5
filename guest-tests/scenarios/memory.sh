# shellcheck shell=sh
# Memory from little to past the hole below 4 GiB: the guest sees all of it, and
# what it writes there stays.

# run_memory SIZE LEAST_MIB: the kernel keeps some for itself.
run_memory() {
	task <<-'END'
		say "mib $(($(sed -n 's/MemTotal: *\([0-9]*\) .*/\1/p' \
			/proc/meminfo) / 1024))"
		# Linux hands out the highest memory first.
		free=$(sed -n 's/MemFree: *\([0-9]*\) .*/\1/p' /proc/meminfo)
		part=$((free / 1024 / 8))
		[ $part -lt 128 ] || part=128
		mount -t tmpfs -o size=90% memory /tmp
		dd if=/dev/urandom of=/tmp/a bs=1M count=$part 2>/dev/null
		cp /tmp/a /tmp/b
		cmp /tmp/a /tmp/b && say same
		off
	END
	small --memory "$1"
	ended 0
	saw same
	mib=$(heard | sed -n 's/^mib //p')
	[ "$mib" -ge "$2" ] || fail "of $1 the guest sees $mib MiB only"
}

scenario memory-128M 120 memory 128M 70
scenario memory-1G 120 memory 1G 900
scenario memory-5G 120 memory 5G 4800
