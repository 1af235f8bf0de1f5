# How many clusters behind 512 TiB the attempt took does not matter.
s/(\nimage size 56294995)[0-9]+/\1.../

# qemu-img tells of each of eight million leaked clusters (which the test does
# not look at), alcor of the first.
s/What else there is, is counted but not told\.\n//
