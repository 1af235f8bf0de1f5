# Where only a part of a compressed cluster is zeroed, QEMU writes zeroes to the
# whole clusters beside it as well, and so what follows lies elsewhere.
s/\nwrite -q -z( -u)? 1376k 128k\n(([^#\n][^\n]*)?\n)*/\n/g

# And it is of no consequence which subclusters of the disk's last cluster are
# zeroes behind the disk's end.
s/### Writing zeroes 4: [^\n]*\n(([^#\n][^\n]*)?\n)*//g
