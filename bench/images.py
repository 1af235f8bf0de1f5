"""The files that are measured: made once, below build/bench/images."""

import os
from pathlib import Path

from process import ALL_CPUS, run

FOLDER = Path("build/bench/images")

MIB = 1 << 20
GIB = 1 << 30

COMPRESSIBLE_SIZE = 512 * MIB


def make_random(path):
    """Nothing in it can be compressed, or is the same twice."""
    with open(path, "wb") as file:
        for _ in range(GIB // MIB):
            file.write(os.urandom(MIB))


def make_compressible(path):
    """What disks are full of: this machine's programs and texts."""
    with open(path, "wb") as file:
        for source in sorted(Path("/usr").rglob("*")):
            if file.tell() >= COMPRESSIBLE_SIZE:
                break
            if source.is_file() and not source.is_symlink():
                file.write(source.read_bytes())
        file.truncate(COMPRESSIBLE_SIZE)


def make_hole(path):
    with open(path, "wb") as file:
        file.truncate(GIB)


def qemu_img(*words):
    run(["qemu-img", *words], cpus=ALL_CPUS)


def converted(source, *options):
    return lambda path: qemu_img("convert", "-O", "qcow2", *options,
                                 image(source), path)


def created(size, options="compat=1.1"):
    return lambda path: qemu_img("create", "-q", "-f", "qcow2", "-o", options,
                                 path, size)


def overlaid(base, options="compat=1.1"):
    # The name inside is looked up in the overlay's own folder.
    return lambda path: qemu_img("create", "-q", "-f", "qcow2", "-o", options,
                                 "-F", "qcow2", "-b", image(base).name, path)


def make_small(path):
    qemu_img("convert", "-O", "qcow2", "-o", "cluster_size=4k",
             "--image-opts", "driver=raw,size=256M,file.driver=file,"
             f"file.filename={image('raw.img')}", path)


RECIPES = {
    "raw.img": make_random,
    "4k.qcow2": converted("raw.img", "-o", "cluster_size=4k"),
    "64k.qcow2": converted("raw.img"),
    "256m.qcow2": make_small,
    "text.img": make_compressible,
    "zlib.qcow2": converted("text.img", "-c"),
    "zstd.qcow2": converted("text.img", "-c", "-o", "compression_type=zstd"),
    "256g.qcow2": created("256G", "preallocation=metadata"),
    "256g-4k.qcow2": created("256G", "preallocation=metadata,cluster_size=4k"),
    "1t.qcow2": created("1T", "preallocation=metadata"),
    "empty.img": make_hole,
    "empty.qcow2": created("1G"),
    "empty-extended.qcow2": created("1G", "extended_l2=on"),
    "overlay.qcow2": overlaid("64k.qcow2"),
    "overlay-extended.qcow2": overlaid("64k.qcow2", "extended_l2=on"),
}


def image(name):
    """The path of one, which is made if it is not there."""
    path = FOLDER / name
    if not path.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        new = FOLDER / f"new-{name}"
        RECIPES[name](new)
        new.rename(path)
    return path


def fresh(name):
    """A copy of one that may be written to; there is only one at a time."""
    path = FOLDER / "fresh"
    path.unlink(missing_ok=True)  # with its dirty pages
    run(["cp", image(name), path], cpus=ALL_CPUS)  # holes stay holes
    return path


def warm(name):
    """Into the page cache, as far as it is data and not a hole.

    Out of it first: how large the pieces are in which the kernel holds a file
    depends on who read or wrote it, and a read's cost depends on that.
    """
    with open(image(name), "rb", buffering=0) as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        buffer = bytearray(MIB)
        at = 0
        while True:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:  # no more
                return
            hole = os.lseek(file.fileno(), at, os.SEEK_HOLE)
            os.lseek(file.fileno(), at, os.SEEK_SET)
            while at < hole:
                at += file.readinto(buffer)
