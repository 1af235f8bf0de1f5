# shellcheck shell=sh
# The runner's own little programs, static, for any architecture. Needs
# common.sh.

# make_tools ARCH: build/ARCH/tools/{probe_kvm,talk}, newer than their sources.
make_tools() {
	tools=$BUILD/$1/tools
	compiler=gcc
	[ "$1" = "$(uname -m)" ] || compiler=$1-linux-gnu-gcc
	mkdir -p "$tools"
	make_tool "$tools/talk" talk.c
	make_tool "$tools/probe_kvm" probe_kvm.c "probe_loop_$1.c"
}

# make_tool PROGRAM SOURCE...
make_tool() {
	program=$1
	shift
	[ -n "$(find guest-tests/tools -newer "$program" 2>&1)" ] || return 0
	(cd guest-tests/tools && "$compiler" -std=gnu17 -D_GNU_SOURCE -O2 \
		-Wall -Wextra -static -o "$OLDPWD/$program" "$@")
}
