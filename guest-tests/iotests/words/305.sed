# QEMU opens this image and cannot write it then; alcor does not open it.
s/qemu-io: can't open device [^\n]*: REFUSED/CORRUPT/g
