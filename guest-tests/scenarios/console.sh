# shellcheck shell=sh
# The console, with and without a person.

# Programs that start us may close our input, or give us /dev/null.
run_no_input() {
	task <<-'END'
		say alive
		off
	END
	small_initrd
	alcor_status=0
	"$ALCOR" run --kernel "$STAGE/kernels/cloud/vmlinuz" --initrd initrd \
		>console.log 2>alcor.log <&- || alcor_status=$?
	ended 0
	saw alive
}

run_null() {
	task <<-'END'
		say unheard
		off
	END
	small --console null
	ended 0
	[ ! -s console.log ] || fail "--console null said something"
}

run_file() {
	task <<-'END'
		say filed
		off
	END
	small --console file,path=console.txt
	ended 0
	cp console.txt console.log
	saw filed
}

# talking OPTION OF TALK...: the guest answers what it reads.
talking() {
	small_initrd
	alcor_status=0
	"$STAGE/tools/talk" "$@" script \
		"$ALCOR" run --kernel "$STAGE/kernels/cloud/vmlinuz" \
		--initrd initrd --append quiet \
		>console.log 2>alcor.log || alcor_status=$?
}

listening_task() {
	task <<-'END'
		stty -echo
		say ready
		while read -r line; do
			say "heard $line"
			[ "$line" != end ] || off
		done
		say closed
		sleep 1000
	END
}

run_pipe() {
	listening_task
	cat >script <<-'END'
		wait 60 @ ready
		send one\n
		wait 10 @ heard one
		send a longer line with \\ and $ and "quotes"\n
		wait 10 @ heard a longer
		send end\n
		end 20
	END
	talking
	ended 0
	saw 'heard a longer line with . and $ and "quotes"'
}

# Ctrl-A x ends the machine; talk fails if the terminal is not as it was.
run_terminal() {
	listening_task
	cat >script <<-'END'
		wait 60 @ ready
		send hello\r
		wait 10 @ heard hello
		send \x01h
		wait 10 Ctrl-A x
		send \x01x
		end 10
	END
	talking --pty
	ended 0
}

# The terminal is restored when a signal ends us, too.
run_terminal_signal() {
	listening_task
	cat >script <<-'END'
		wait 60 @ ready
		signal 1
		end 20
	END
	talking --pty
	[ "$alcor_status" = 129 ] || [ "$alcor_status" = 0 ] ||
		fail "SIGHUP ended alcor with $alcor_status"
}

scenario console-no-input 120 no_input
scenario console-null 120 null
scenario console-file 120 file
scenario console-pipe 120 pipe
scenario console-terminal 120 terminal
scenario console-terminal-signal 120 terminal_signal
