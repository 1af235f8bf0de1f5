# shellcheck shell=sh
# Debian packages of any architecture, without root: downloaded by apt from the
# sources that this machine is configured with, unpacked by dpkg. Needs
# common.sh. Everything is cached below build/downloads.

DOWNLOADS=$PWD/$BUILD/downloads

# apt_sources [TYPE]: the Debian sources of this machine, security and updates
# included, as one-line entries of a TYPE: deb, or deb-src. Other vendors'
# sources are left out: they need not know the architecture.
apt_sources() {
	keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	# These are apt's variables.
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages' 'Origin: Debian' |
		sed "s|^|${1:-deb} [signed-by=$keyring] |" | sort -u
}

# apt_suite: the release among them, as in "bookworm": security and updates are
# named after it and have longer names.
apt_suite() {
	apt_sources | awk '{ print length($4), $4 }' | sort -n |
		sed -n '1s/.* //p'
}

# apt_for ARCH COMMAND...: apt-get or apt-cache with a state of its own, where
# only packages of ARCH (Debian's name) exist; or, with "source" for ARCH, only
# source packages.
apt_for() {
	apt_dir=$DOWNLOADS/apt-$1
	apt_arch=$1
	[ "$1" != source ] || apt_arch=$(dpkg --print-architecture)
	apt_command=$2
	shift 2
	"$apt_command" \
		-o APT::Architecture="$apt_arch" \
		-o APT::Architectures="$apt_arch" \
		-o APT::Sandbox::User="$(id -un)" \
		-o Dir::Etc::SourceList="$apt_dir/sources.list" \
		-o Dir::Etc::SourceParts=/dev/null \
		-o Dir::State="$apt_dir/state" \
		-o Dir::State::Lists="$apt_dir/lists" \
		-o Dir::State::status=/dev/null \
		-o Dir::Cache="$apt_dir/cache" \
		-o Acquire::Retries=5 \
		-o Acquire::http::Timeout=30 \
		-o APT::Update::Post-Invoke= \
		-o APT::Update::Post-Invoke-Success= \
		-q "$@"
}

# apt_update ARCH: fresh package lists. A day old is fresh: within it the same
# package names keep their meaning.
apt_update() {
	apt_dir=$DOWNLOADS/apt-$1
	if [ -n "$(find "$apt_dir/updated" -mtime -1 2>/dev/null)" ]; then
		return 0
	fi
	mkdir -p "$apt_dir/lists/partial" "$apt_dir/cache/archives/partial" \
		"$apt_dir/state"
	case $1 in
	source) apt_sources deb-src ;;
	*) apt_sources deb ;;
	esac >"$apt_dir/sources.list"
	if [ ! -s "$apt_dir/sources.list" ]; then
		die "apt knows no Debian source; run apt-get update first"
	fi
	apt_for "$1" apt-get update >"$apt_dir/update.log" 2>&1 || {
		cat "$apt_dir/update.log" >&2
		die "cannot fetch Debian's package lists ($1)"
	}
	touch "$apt_dir/updated"
}

# apt_depends ARCH PACKAGE: what it depends on, one name a line.
apt_depends() {
	apt_update "$1"
	apt_for "$1" apt-cache depends --no-recommends --no-suggests \
		--no-conflicts --no-breaks --no-replaces --no-enhances "$2" |
		sed -n 's/^ *|\{0,1\}Depends: //p'
}

# apt_unpack ARCH FOLDER PACKAGE...: downloads and unpacks into FOLDER.
apt_unpack() {
	unpack_arch=$1
	unpack_to=$2
	shift 2
	apt_update "$unpack_arch"
	mkdir -p "$DOWNLOADS/$unpack_arch" "$unpack_to"
	for package; do
		apt_download "$unpack_arch" "$package"
		dpkg-deb -x "$DOWNLOADS/$unpack_arch/$package.deb" "$unpack_to"
	done
}

# apt_download ARCH PACKAGE: build/downloads/ARCH/PACKAGE.deb
apt_download() {
	deb=$DOWNLOADS/$1/$2.deb
	[ ! -e "$deb" ] || return 0
	# apt-get download writes to where it is started.
	fetch=$(mktemp -d "$DOWNLOADS/fetch.XXXXXX")
	if ! (cd "$fetch" && apt_for "$1" apt-get download "$2") \
		>"$fetch/log" 2>&1; then
		cat "$fetch/log" >&2
		rm -rf "$fetch"
		die "cannot download Debian's package $2 for $1"
	fi
	mv "$fetch"/*.deb "$deb"
	rm -rf "$fetch"
}

# apt_source PACKAGE VERSION FOLDER: unpacks the source package, with Debian's
# patches, into FOLDER/source. Another version is as good where apt no longer
# has this one.
apt_source() {
	apt_update source
	if ! (cd "$3" && { apt_for source apt-get source "$1=$2" ||
		apt_for source apt-get source "$1"; }) >"$3/log" 2>&1; then
		cat "$3/log" >&2
		die "cannot download and unpack Debian's source package $1"
	fi
	mv "$3/$1"-*/ "$3/source"
}
