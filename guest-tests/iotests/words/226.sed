# QEMU takes /dev/null for a disk; alcor takes files and block devices.
s/\n[^\n]*\/dev\/null[^\n]*//g
