# shellcheck shell=sh
# Sourced by the scripts of guest-tests/, which run from the project's top
# folder: names of architectures, messages, files that appear whole or not at
# all.

# shellcheck disable=SC2034 # for those that source this
BUILD=build
export LC_ALL=C

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

note() {
	echo "# $*"
}

# arm64 is Debian's name of aarch64; alcor and QEMU use the kernel's.
debian_arch() {
	case $1 in
	x86_64) echo amd64 ;;
	aarch64) echo arm64 ;;
	*) die "unknown architecture $1; it is x86_64 or aarch64" ;;
	esac
}

# publish TEMPORARY FINAL: a result is there as a whole or not at all, so that
# an interrupted run leaves nothing that a later one would trust.
publish() {
	rm -rf "$2"
	mv "$1" "$2"
}

# once FILE COMMAND...: runs the command, which makes FILE, unless it is there.
# Two at the same time: the second waits for the first.
once() {
	once_file=$1
	shift
	mkdir -p "$(dirname "$once_file")"
	(
		flock 9
		[ -e "$once_file" ] || "$@"
	) 9>"$once_file.lock"
}
