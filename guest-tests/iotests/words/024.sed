# The third cluster was a hole in the old backing file: after a rebase it is
# zeroes for alcor, and data that are zeroes for QEMU.
s/(\n0 +)0x(2|3)0000( +[^\n]*\n0x30000 )/\10xN0000\3/
