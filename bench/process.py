"""Runs a program and says what it cost.

CPU time is that of the whole process, all threads, in user and kernel mode, as
the kernel accounts for it (getrusage): it hardly changes when something else
runs on the machine, wall time does.
"""

import os
import subprocess
import time
from contextlib import contextmanager
from typing import NamedTuple

ARCH = os.uname().machine
ALL_CPUS = sorted(os.sched_getaffinity(0))
# Interrupts and most of the rest of a system prefer the first one.
ONE_CPU = ALL_CPUS[-1:]


class Failed(Exception):
    """A program did not do what was wanted of it."""


class Cost(NamedTuple):
    cpu_s: float
    wall_s: float
    output: str


@contextmanager
def pinned(cpus):
    """What is started within may run only there."""
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, ALL_CPUS)


def start_program(command):
    """A subprocess whose output is in a pipe, and which has no input."""
    try:
        return subprocess.Popen([str(word) for word in command],
                                stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)
    except OSError as why:
        raise Failed(f"{command[0]}: {why.strerror}") from why


def failed(command, why, output):
    """The exception, with the command and the end of what it said."""
    words = " ".join(str(word) for word in command)
    return Failed(f"{words}: {why}: {output.strip()[-300:]}")


def run(command, cpus=ONE_CPU):
    """Cost of the command, a list of words, on these CPUs."""
    with pinned(cpus):
        start = time.monotonic()
        child = start_program(command)
        output = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        wall_s = time.monotonic() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    child.stdout.close()
    if child.returncode:
        raise failed(command, f"status {child.returncode}", output)
    return Cost(usage.ru_utime + usage.ru_stime, wall_s, output)


def request_cost(command_for, few, many, cpus=ONE_CPU):
    """What one request costs: the difference of a long run and a short one.

    command_for(count) prepares a run of that many requests and returns its
    command. The short run has all that is done once: starting, opening, the
    first look at the image's tables.
    """
    short = run(command_for(few), cpus)
    long = run(command_for(many), cpus)
    requests = many - few
    cpu_s = long.cpu_s - short.cpu_s
    wall_s = long.wall_s - short.wall_s
    if cpu_s <= 0 or wall_s <= 0:
        raise Failed("the short run took as long as the long one")
    return {"cpu_us": cpu_s / requests * 1e6, "rate": requests / wall_s}
