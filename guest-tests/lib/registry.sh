# shellcheck shell=sh
# The list of scenarios. A file of scenarios/ declares each with
#
#   scenario NAME SECONDS FUNCTION [ARGUMENT...]
#
# and defines run_FUNCTION, and where needed prepare_FUNCTION (before, on the
# host: makes images) and judge_FUNCTION (afterwards, on the host: looks at
# them). All three get the arguments, and run in the scenario's own folder.
# $ARCH is the guest's architecture. Runs under dash and busybox.

SCENARIOS=

scenario() {
	SCENARIOS="$SCENARIOS$*
"
}

# load_scenarios FOLDER
load_scenarios() {
	for file in "$1"/*.sh; do
		. "$file"
	done
}

scenario_names() {
	printf %s "$SCENARIOS" | cut -d' ' -f1
}

# scenario_limit NAME: in seconds.
scenario_limit() {
	printf %s "$SCENARIOS" | sed -n "s/^$1 \([0-9]*\) .*/\1/p"
}

# call_part PART NAME: runs it, if the scenario has such a part.
call_part() {
	call=$(printf %s "$SCENARIOS" | sed -n "s/^$2 [0-9]* //p")
	if command -v "$1_${call%% *}" >/dev/null; then
		# The function and its arguments are words without blanks.
		# shellcheck disable=SC2086
		"$1"_$call
	fi
}
