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

# make_folder FOLDER RECIPE COMMAND...: makes FOLDER by COMMAND, which fills the
# folder that is its last argument; unless it is there, made by the same RECIPE
# (any text without line breaks). Two at the same time: the second waits.
make_folder() {
	folder=$1
	recipe=$2
	shift 2
	mkdir -p "$(dirname "$folder")"
	(
		flock 9
		if [ "$(cat "$folder/recipe" 2>/dev/null)" != "$recipe" ]; then
			rm -rf "$folder.new"
			mkdir "$folder.new"
			"$@" "$folder.new"
			echo "$recipe" >"$folder.new/recipe"
			publish "$folder.new" "$folder"
		fi
	) 9>"$folder.lock"
}
