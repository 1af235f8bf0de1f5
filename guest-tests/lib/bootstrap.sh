# shellcheck shell=sh
# A Debian made by mmdebstrap. Needs common.sh, apt.sh and binfmt.sh.

# scratch_new: $SCRATCH, gone when the script ends. $SCRATCH/out is writable to
# the other user ids that mmdebstrap has in a user namespace, which often may
# not even enter this project's folder.
scratch_new() {
	SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/alcor.XXXXXX")
	trap 'rm -rf "$SCRATCH"' EXIT
	trap 'exit 1' HUP INT TERM
	chmod 711 "$SCRATCH"
	mkdir "$SCRATCH/out"
	chmod 777 "$SCRATCH/out"
}

# The initial ramdisk would be made twice, for the kernel and at the end of the
# installation, which takes minutes where ARCH is emulated; finish makes it.
# shellcheck disable=SC2016 # mmdebstrap expands it
NO_INITRD_YET='
	chroot "$1" dpkg-divert --quiet --local --rename --add \
		/usr/sbin/update-initramfs &&
	ln -s /bin/true "$1/usr/sbin/update-initramfs"'

# bootstrap ARCH PACKAGES disk|kernel: a minimal Debian with the packages, of
# which $SCRATCH/out holds in the end what images/finish says. That runs as root
# of the name space or the machine, so that owners are those of a real system.
bootstrap() {
	binfmt_enable "$1"
	mode=unshare
	[ "$(id -u)" != 0 ] || mode=root
	cp guest-tests/images/finish "$SCRATCH/finish"
	chmod 755 "$SCRATCH/finish"
	# shellcheck disable=SC2086 # one word per package is what is wanted
	include=$(echo $2 | tr ' ' ,)
	apt_sources | mmdebstrap --mode=$mode --variant=minbase \
		--architectures="$(debian_arch "$1")" --include="$include" \
		--aptopt='Acquire::Retries "5"' \
		--aptopt='Acquire::http::Timeout "30"' \
		--essential-hook="$NO_INITRD_YET" \
		--customize-hook="$SCRATCH/finish \"\$1\" $SCRATCH/out $3" \
		"$(apt_suite)" /dev/null - >"$SCRATCH/log" 2>&1 || {
		tail -n 40 "$SCRATCH/log" >&2
		die "mmdebstrap failed; its last words are above"
	}
}
