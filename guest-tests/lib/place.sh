# shellcheck shell=bash
# Where guests can run: directly on this machine's KVM, or in an outer machine.
# Needs common.sh and the tools.

# A turn of the probe's loop takes about 1 ns with hardware, 5 inside QEMU, and
# 1000 where a kernel's code is emulated.
FAST_NS=100

# decide_place: sets $place to direct or outer for guests of $ARCH, and says why.
decide_place() {
	local ns
	place=outer
	if [ "$ARCH" != "$(uname -m)" ]; then
		note "$ARCH guests run inside QEMU: this is $(uname -m)"
	elif ! ns=$("$BUILD/$ARCH/tools/probe_kvm" 2>&1); then
		note "guests run inside QEMU: no KVM here ($ns)"
	elif [ "${ns%.*}" -lt $FAST_NS ]; then
		place=direct
		note "guests run directly: /dev/kvm takes $ns ns a loop turn"
	else
		note "guests run inside QEMU: /dev/kvm is slow," \
			"$ns ns a loop turn"
	fi
}
