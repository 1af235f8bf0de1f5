# shellcheck shell=sh
# Running programs of the other architecture through qemu-user and the kernel's
# binfmt_misc. Needs common.sh.

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo -n "$@"
	else
		return 1
	fi
}

# binfmt_ready ARCH: true where a program of ARCH can be started, also in a
# chroot, which takes the flag F (the interpreter is opened beforehand).
binfmt_ready() {
	[ "$1" = "$(uname -m)" ] ||
		grep -q '^flags:.*F' "/proc/sys/fs/binfmt_misc/qemu-$1" \
			2>/dev/null
}

# binfmt_enable ARCH: makes it so; a container or a fresh machine may have the
# package, but neither the file system nor the registration.
binfmt_enable() {
	binfmt_ready "$1" && return 0
	if [ ! -e /proc/sys/fs/binfmt_misc/register ]; then
		as_root mount -t binfmt_misc binfmt_misc \
			/proc/sys/fs/binfmt_misc 2>/dev/null || true
	fi
	as_root update-binfmts --import "qemu-$1" 2>/dev/null || true
	as_root update-binfmts --enable "qemu-$1" 2>/dev/null || true
	binfmt_ready "$1" || die "programs of $1 cannot be started here:" \
		"this needs the package qemu-user-static and a kernel with" \
		"binfmt_misc, which a container may not offer; make the image" \
		"on another machine and copy build/debian-$1 here"
}
