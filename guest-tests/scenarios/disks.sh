# shellcheck shell=sh
# Sixteen disks, raw and qcow2 by turns: the guest sees them in the order of
# the command line, each with its size and its contents.

LETTERS="a b c d e f g h i j k l m n o p"

prepare_disks() {
	mib=0
	for letter in $LETTERS; do
		mib=$((mib + 1))
		truncate -s ${mib}M raw
		echo "disk $letter" | dd of=raw conv=notrunc status=none
		case $((mib % 2)) in
		0) cp --sparse=always raw "$letter.img" ;;
		1) qemu-img convert -O qcow2 raw "$letter.img" ;;
		esac
	done
	rm raw
}

run_disks() {
	task <<-'END'
		for disk in /sys/block/vd*; do
			name=${disk##*/}
			say "$name $(cat $disk/size) $(head -n 1 /dev/$name)"
		done
		off
	END
	set --
	mib=0
	for letter in $LETTERS; do
		mib=$((mib + 1))
		format=raw
		[ $((mib % 2)) = 0 ] || format=qcow2
		set -- "$@" --disk "$letter.img,format=$format"
	done
	small "$@"
	ended 0
	mib=0
	for letter in $LETTERS; do
		mib=$((mib + 1))
		saw "vd$letter $((mib * 2048)) disk $letter"
	done
}

scenario disks-16 120 disks
