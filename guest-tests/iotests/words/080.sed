# Snapshots whose tables cannot be: QEMU opens the image and cannot write it
# then; alcor does not open it for writing.
s/(== Hitting snapshot table size limit ==\n[^\n]*\n[^\n]*)\n[^=]*/\1\n/
s/qemu-io: can't open device [^\n]*: REFUSED\nno file open, try 'help open'/UNWRITABLE/g
s/qemu-io: Failed to flush the refcount block cache: [^\n]*\nwrite failed: [^\n]*/UNWRITABLE/g
