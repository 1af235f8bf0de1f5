# shellcheck shell=sh
# A whole Debian with systemd, as "make run" has it, booted from inside its
# image: it comes up without a failed unit, a person types at its console, and
# SIGTERM presses its power button, so that "kill", or the stop of a service
# manager, shuts it down in order.

prepare_systemd() {
	root_disk
}

run_systemd() {
	cat >script <<-'END'
		wait 500 root@alcor:~#
		send echo typed >/root/typed\n
		wait 60 root@alcor:~#
		send echo "@ failed $(systemctl --failed --no-legend | wc -l)"\n
		wait 60 root@alcor:~#
		send echo "@ wrote $(sha256sum /root/typed)"\n
		wait 60 root@alcor:~#
		signal 15
		end 200
	END
	alcor_status=0
	"$STAGE/tools/talk" script "$ALCOR" run --cpus 2 --memory 512M \
		root.qcow2 >console.log 2>alcor.log || alcor_status=$?
	ended 0
	saw "failed 0"
	grep -qi "power button\|powering off" console.log ||
		fail "systemd did not say that it powers off"
}

judge_systemd() {
	root_clean
	files_found
}

scenario systemd 700 systemd
