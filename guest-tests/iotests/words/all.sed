# What alcor and QEMU say in different words becomes the same. This is applied
# to what a test printed and to what it should print, each as one long line;
# after it, what is in the file TEST.sed.

# An image that is refused: alcor says more about why.
s/(can't open device [^:\n]*): [^\n]*/\1: REFUSED/g

# One that turns out to be wrong: the errno and the sentence. Some that QEMU
# opens, and then cannot write, are not even opened for writing.
s/Structure needs cleaning/Input\/output error/g
s/(qcow2|alcor): [^\n]* corrupt: [^\n]*\n[a-z]+ failed: Input\/output error/CORRUPT/g
s/\nqemu-io: error while closing [^\n]*: Input\/output error//g
