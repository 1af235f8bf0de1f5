# shellcheck shell=sh
# Debian's kernels with the initial ramdisks that Debian's initramfs-tools made
# and root on qcow2, on one, two and four vCPUs: they see their processors,
# mount, write, sync, power off; the host finds a clean image with a clean file
# system in it, and every file.

prepare_stock() {
	root_disk
}

run_stock() {
	task <<-'END'
		say "cpus $(nproc)"
		say "root $(findmnt -n -o SOURCE,FSTYPE /)"
		cd /root
		dd if=/dev/urandom of=large bs=1M count=8 2>/dev/null
		dd if=/dev/urandom of=large bs=4k seek=500 count=100 \
			conv=notrunc 2>/dev/null
		seq 100000 >lines
		cp /usr/bin/bash copy
		rm lines
		seq 5000 >again
		mkdir deep
		for n in 1 2 3 4 5; do echo "small $n" >deep/$n; done
		wrote /root/large /root/copy /root/again /root/deep/*
		off
	END
	stock "$1" --cpus "$2" --memory 512M
	ended 0
	saw "cpus $2" "root /dev/vda1 ext4"
}

judge_stock() {
	root_clean
	files_found
}

for cpus in 1 2 4; do
	scenario cloud-$cpus-cpu 240 stock cloud $cpus
	if [ "$ARCH" = x86_64 ]; then
		scenario generic-$cpus-cpu 240 stock generic $cpus
	fi
done
