"""What needs no guest: `alcor img bench` beside `qemu-img bench`.

Each case's numbers of requests, `few` and `many`, are those of the two runs
whose difference is measured: `few` has to bring what is read of the image's
tables into memory, `many` has to take a while.
"""

from dataclasses import replace

from case import Case, Row, Skipped
from images import COMPRESSIBLE_SIZE, GIB, MIB, image, warm
from process import ALL_CPUS, ONE_CPU, run
from walk import TOOLS, Walk, alcor, bare, qemu, random_step

KIB = 1024
CACHED = ("io_uring", "threads")  # QEMU's ways through the page cache
RIVALS = tuple(f"qemu {aio}" for aio in CACHED)
NATIVE = "qemu native, O_DIRECT"


def contest(walk, few, many, cpus=ONE_CPU):
    """alcor and QEMU at the same work."""
    return {
        "alcor": alcor(walk, few, many, cpus),
        **{f"qemu {aio}": qemu(walk, aio, few, many, cpus) for aio in CACHED},
    }


def rows(title, quantity, rivals=RIVALS, floor=None, **limits):
    """The row with the goal, and one with the other quantity."""
    other = {"cpu_us": "rate", "rate": "cpu_us"}[quantity]
    return [Row(title, quantity, rivals=rivals, floor=floor, **limits),
            Row("", other, rivals=rivals, floor=floor)]


def warmer(*names):
    def prepare():
        for name in names:
            warm(name)
    return prepare


# --- Reads -------------------------------------------------------------------

def random_read(name, title, disk, depth, goal, floor_goal):
    walk = Walk(disk, 4 * KIB, random_step(GIB, 4 * KIB), depth)
    raw = walk.of("raw.img")
    loop = "pread_loop" if depth == 1 else "uring_loop"
    few, many = 2000, 202000
    contenders = {
        **contest(walk, few, many),
        NATIVE: qemu(walk, "native", few // 20, many // 20),
        "alcor raw": alcor(raw, few, many),
        loop: bare(loop, raw, few, many),
    }
    return Case(name, contenders, [
        *rows(title, "cpu_us", RIVALS + (NATIVE,), loop, goal=goal,
              floor_goal=floor_goal),
        Row(f"{title}; floor: our own raw", "cpu_us", floor="alcor raw",
            floor_goal=1.03),
    ], warmer(disk, "raw.img"))


def sequential_read(name, title, disk):
    walk = Walk(disk, MIB, MIB)
    few, many = 64, 4160
    contenders = {
        **contest(walk, few, many),
        "pread_loop": bare("pread_loop", walk.of("raw.img"), few, many),
    }
    return Case(name, contenders,
                rows(title, "rate", floor="pread_loop", floor_goal=0.95),
                warmer(disk, "raw.img"))


def huge_read(name, title, disk, cache, few):
    """Places all over 256 GiB; the first run brings them into the cache."""
    walk = Walk(disk, 4 * KIB, random_step(256 * GIB, 4 * KIB),
                l2_cache=cache)
    many = few + 200000
    contenders = contest(walk, few, many)
    # Once before the first round: into the page cache.
    return Case(name, contenders, rows(title, "cpu_us", goal=1 / 3),
                contenders["alcor"])


# --- The map alone -----------------------------------------------------------

def lookup(name, title, disk, bound):
    def measure():
        words = run([TOOLS / "map_lookup", image(disk)]).output.split("=")
        return {"ns": float(words[-1])}
    return Case(name, {"alcor": measure}, [Row(title, "ns", bound=bound)],
                lambda: image(disk))


# --- Compressed clusters -----------------------------------------------------

def inflate_alone(kind):
    """The library, without a disk around it."""
    def measure():
        words = run([TOOLS / "inflate_loop", kind, image("text.img")]).output
        return {name: float(number) for name, number in
                (word.split("=") for word in words.split())}
    return measure


def compressed_read(kind, goal):
    """Whole clusters, none of them twice."""
    disk = f"{kind}.qcow2"
    size = 64 * KIB
    walk = Walk(disk, size, random_step(COMPRESSIBLE_SIZE, size))
    contenders = {
        **contest(walk, 64, 64 + 4096),
        "inflate_loop": inflate_alone(kind),
    }
    return Case(kind, contenders,
                rows(f"64K read, {kind}, depth 1", "rate",
                     floor="inflate_loop", goal=goal), warmer(disk))


def compressed_parallel(kind, goal):
    disk = f"{kind}.qcow2"
    size = 64 * KIB
    walk = Walk(disk, size, random_step(COMPRESSIBLE_SIZE, size), depth=16)
    two = ALL_CPUS[-2:]

    def prepare():
        if len(two) < 2:
            raise Skipped("wants two CPUs")
        warm(disk)
    return Case(f"{kind}-2", contest(walk, 64, 64 + 8128, two),
                rows(f"64K read, {kind}, depth 16, two CPUs", "rate",
                     goal=goal), prepare)


def compressed_sequential(kind):
    disk = f"{kind}.qcow2"
    walk = Walk(disk, 4 * KIB, 4 * KIB)
    return Case(f"{kind}-4k", contest(walk, 256, 256 + 8192),
                rows(f"4K sequential read, {kind}", "rate", goal=10),
                warmer(disk))


# --- Writes ------------------------------------------------------------------

def first_write(name, title, disk, copied=None):
    """4 KiB into each 64 KiB cluster of a new copy. The floor writes the same
    to a file with holes, or the clusters with what lies around in them.
    """
    size, cluster = 4 * KIB, 64 * KIB
    walk = Walk(disk, size, cluster, write=True)
    least = replace(walk.of("empty.img"), size=cluster if copied else size)
    few, many = 16, 16 + 8192
    contenders = {
        **contest(walk, few, many),
        "pwrite loop": bare("pread_loop", least, few, many, copied=copied),
    }
    return Case(name, contenders,
                rows(title, "cpu_us", floor="pwrite loop", goal=0.35),
                warmer(disk, "64k.qcow2", *([copied] if copied else [])))


def flushed_write(name, title, disk, goal):
    walk = Walk(disk, 64 * KIB, 64 * KIB, depth=8, write=True,
                flush_interval=8)
    few, many = 64, 64 + 2048
    contenders = {
        **contest(walk, few, many),
        "pwrite loop": bare("pread_loop", walk.of("empty.img"), few, many),
    }
    return Case(name, contenders,
                rows(title, "rate", floor="pwrite loop", goal=goal),
                warmer(disk))


def reads():
    return [
        random_read("read-d1", "4K random read, depth 1",
                    "4k.qcow2", 1, 1 / 4, 1.3),
        random_read("read-d16", "4K random read, depth 16",
                    "4k.qcow2", 16, 1 / 3, 1.2),
        random_read("read-64k-d1", "4K random read, 64K clusters, depth 1",
                    "64k.qcow2", 1, 1 / 4, 1.3),
        random_read("read-64k-d16", "4K random read, 64K clusters, depth 16",
                    "64k.qcow2", 16, 1 / 3, 1.2),
        sequential_read("sequential", "1M sequential read", "4k.qcow2"),
        huge_read("256g", "256 GiB, whole cache",
                  "256g-4k.qcow2", "512M", 260000),
        huge_read("256g-1m", "256 GiB, 1 MiB of cache",
                  "256g-4k.qcow2", "1M", 2000),
        huge_read("256g-64k", "256 GiB, 64K clusters, whole cache",
                  "256g.qcow2", "32M", 17000),
        huge_read("256g-64k-1m", "256 GiB, 64K clusters, 1 MiB of cache",
                  "256g.qcow2", "1M", 2000),
    ]


def lookups():
    return [
        lookup("lookup-1g", "lookup alone, 1 GiB", "4k.qcow2", 5),
        lookup("lookup-1g-64k", "lookup alone, 1 GiB, 64K clusters",
               "64k.qcow2", 5),
        lookup("lookup-1t", "lookup alone, 1 TiB, 64K clusters",
               "1t.qcow2", 70),
    ]


def compressed():
    return [
        compressed_read("zlib", 1.8),
        compressed_read("zstd", 1.6),
        compressed_parallel("zlib", 1.8),
        compressed_parallel("zstd", 1.8),
        compressed_sequential("zlib"),
        compressed_sequential("zstd"),
    ]


def writes():
    return [
        first_write("first-write", "first 4K write into a 64K cluster",
                    "empty.qcow2"),
        first_write("first-write-backing",
                    "first 4K write, qcow2 backing file", "overlay.qcow2",
                    copied="raw.img"),
        first_write("first-write-extended", "first 4K write, extended L2",
                    "empty-extended.qcow2"),
        first_write("first-write-both",
                    "first 4K write, extended L2, backing file",
                    "overlay-extended.qcow2"),
        flushed_write("flush", "64K write, a flush every 8", "empty.qcow2",
                      1.3),
    ]


def cases():
    return reads() + lookups() + compressed() + writes()
