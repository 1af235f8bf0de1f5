"""Requests of one kind, all over an image, and who can do them."""

import functools
import os
from dataclasses import dataclass, replace
from pathlib import Path

from images import GIB, fresh, image
from process import ARCH, ONE_CPU, request_cost

# Another program can be measured in its place.
ALCOR = os.environ.get("ALCOR", f"build/{ARCH}/alcor")
TOOLS = Path("build/bench/tools")

# qemu-img bench takes no larger step.
STEP_MAX = 2 * GIB - 1


@dataclass(frozen=True)
class Walk:
    image: str  # raw if it ends in .img
    size: int
    step: int
    depth: int = 1
    write: bool = False  # to a new copy of the image
    flush_interval: int = 0  # requests; 0: none but at the end
    l2_cache: str = ""  # as on the command line; "": the default

    def of(self, name):
        """The same over another image."""
        return replace(self, image=name)

    @property
    def format(self):
        return "raw" if self.image.endswith(".img") else "qcow2"

    def path(self):
        return fresh(self.image) if self.write else image(self.image)

    def words(self, count, flush_option="--flush-interval"):
        words = ["-c", count, "-d", self.depth, "-s", self.size,
                 "-S", self.step]
        if self.write:
            words.append("-w")
        if self.flush_interval:
            words += [flush_option, self.flush_interval]
        return words


def random_step(size, request):
    """A step that is as good as random: no readahead, cache or prefetcher
    guesses where it leads, and it comes to every place once before it comes to
    one twice (it is odd, of 2^n places). By the golden section, so that any
    number of steps is spread evenly.
    """
    rounds = max(size // STEP_MAX, 1)
    places = int(size / (rounds + 0.618) / request)
    return (places | 1) * request


# --- Contenders: the cost of a request, see process.request_cost() -----------

def contender(command_for, few, many, cpus):
    return functools.partial(request_cost, command_for, few, many, cpus)


def alcor(walk, few, many, cpus=ONE_CPU):
    def command(count):
        words = walk.words(count)
        if walk.l2_cache:
            words += ["--l2-cache", walk.l2_cache]
        return [ALCOR, "img", "bench", "-f", walk.format, *words, walk.path()]
    return contender(command, few, many, cpus)


def qemu(walk, aio, few, many, cpus=ONE_CPU):
    def command(count):
        words = walk.words(count)
        if aio == "native":
            words += ["-t", "none"]  # it does not know the page cache
        path = walk.path()
        disk = ["-f", walk.format, path]
        if walk.l2_cache:
            disk = ["--image-opts", f"driver=qcow2,file.filename={path},"
                    f"l2-cache-size={walk.l2_cache}"]
        return ["qemu-img", "bench", "-i", aio, *words, *disk]
    return contender(command, few, many, cpus)


def bare(tool, walk, few, many, cpus=ONE_CPU, copied=None):
    """A loop over a raw file, in build/bench/tools; what it writes may be
    copied from another one.
    """
    def command(count):
        words = walk.words(count, "-F")
        if copied:
            words += ["-C", image(copied)]
        return [TOOLS / tool, *words, walk.path()]
    return contender(command, few, many, cpus)
