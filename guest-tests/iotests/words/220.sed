# qemu-img tells of each of eight million leaked clusters (which the test does
# not look at), alcor of the first.
s/What else there is, is counted but not told\.\n//
