# shellcheck shell=sh
# The bare-metal guests, for machines whose own /dev/kvm cannot run them: see
# guest-tests/bare/run, which says what each does. Every one of their tests is
# a line of its own.

prepare_bare() {
	quietly "$TOP/guest-tests/bare/run" --arch "$ARCH" \
		--prepare "$PWD/carried"
}

run_bare() {
	sh carried/run-inside --arch "$ARCH" --alcor "$ALCOR" carried >lines ||
		true
	[ -s lines ] || fail "the guests did not run"
}

judge_bare() {
	"$TOP/guest-tests/bare/run" --arch "$ARCH" --judge "$PWD/carried" >>lines ||
		true
}

scenario bare 300 bare
