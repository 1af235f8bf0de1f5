# shellcheck shell=sh
# A whole Debian with systemd, as "make run" has it, and its power button.

prepare_systemd() {
	root_disk
}

# A person logs in, writes a file and types poweroff.
run_systemd() {
	cat >script <<-'END'
		wait 200 root@alcor:~#
		send echo typed > /root/typed\n
		wait 20 root@alcor:~#
		send echo "@ failed $(systemctl --failed --no-legend | wc -l)"\n
		wait 20 root@alcor:~#
		send echo "@ wrote $(sha256sum /root/typed)"\n
		wait 20 root@alcor:~#
		send poweroff\n
		end 100
	END
	debian_console script
	ended 0
	saw "failed 0"
}

# SIGTERM presses the button; a signal that a user's "kill" or a service
# manager's stop sends thus shuts Debian down in order.
run_button() {
	cat >script <<-'END'
		wait 200 root@alcor:~#
		send echo "@ wrote $(echo x >/root/x; sha256sum /root/x)"\n
		wait 20 root@alcor:~#
		signal 15
		end 100
	END
	debian_console script
	ended 0
	grep -qi "power button\|Powering off" console.log ||
		fail "systemd did not say that it powers off"
}

# debian_console SCRIPT: see tools/talk.c.
debian_console() {
	alcor_status=0
	"$STAGE/tools/talk" "$1" "$ALCOR" run --cpus 2 --memory 512M \
		--kernel "$STAGE/kernels/cloud/vmlinuz" \
		--initrd "$STAGE/kernels/cloud/initrd.img" \
		--append "root=LABEL=root rw" --disk root.qcow2 \
		>console.log 2>alcor.log || alcor_status=$?
}

judge_systemd() {
	root_clean
	files_found
}

prepare_button() {
	prepare_systemd
}

judge_button() {
	judge_systemd
}

scenario systemd 300 systemd
scenario power-button 300 button
