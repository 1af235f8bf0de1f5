"""What a guest sees: bare-metal guests on /dev/kvm, Linux in bench/nested."""

import os
import re
import threading
import time
from pathlib import Path

from case import Case, Row, Skipped
from images import FOLDER, MIB, image, warm
from process import ALL_CPUS, ARCH, Failed, failed, run, start_program
from walk import ALCOR, TOOLS

GUEST = Path("build/bare/x86_64/blkbench.elf")
MICROVM = ["qemu-system-x86_64", "-name", "bench,debug-threads=on",
           # A KVM that emulates a kernel's code knows no later processor.
           "-cpu", "qemu64", "-accel", "kvm", "-smp", "1", "-nodefaults",
           "-no-user-config", "-no-reboot", "-display", "none",
           "-serial", "stdio", "-global", "virtio-mmio.force-legacy=false",
           "-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
MACHINE = ["-M", "microvm,acpi=off,x-option-roms=off,pit=off,pic=off,rtc=off"]


def want_kvm():
    if ARCH != "x86_64":
        raise Skipped("its guests are x86_64's")
    if not os.access("/dev/kvm", os.W_OK):
        raise Skipped("no /dev/kvm that may be written to")


# --- The path of a disk's requests -------------------------------------------

def alcor_device(disk, words, queues):
    return [ALCOR, "run", "--kernel", GUEST, "--memory", "128M",
            "--debug-exit", "--no-reboot", "--discovery", "cmdline",
            "--cmdline", f"vmm=alcor {words}",
            "--disk", f"{image(disk)},ro,queues={queues}"]


def qemu_device(disk, words, queues):
    return [*MICROVM, "-M", "microvm,acpi=off", "-m", "128M",
            "-kernel", GUEST, "-append", f"vmm=qemu {words}",
            "-object", "iothread,id=io", "-drive",
            f"if=none,id=disk,format=qcow2,file={image(disk)},readonly=on,"
            "aio=io_uring",
            "-device", f"virtio-blk-device,drive=disk,iothread=io,"
            f"num-queues={queues}"]


def host_seconds(pid):
    """CPU time of all threads that do not run the guest."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            name = (task / "comm").read_text()
            spent = int((task / "schedstat").read_text().split()[0])
        except OSError:  # it has ended
            continue
        if not name.startswith(("vcpu", "CPU ")):
            total += spent
    return total / 1e9


class Sampler(threading.Thread):
    """The host's CPU time by seconds of wall time, while it runs."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid = pid
        self.samples = []
        self.is_over = threading.Event()

    def run(self):
        while not self.is_over.wait(0.05):
            try:
                sample = time.monotonic(), host_seconds(self.pid)
            except OSError:
                return
            self.samples.append(sample)

    def stop(self):
        """The average number of CPUs in use."""
        self.is_over.set()
        self.join()
        # The last one may have seen the end.
        (start, first), (end, last) = self.samples[0], self.samples[-2]
        return (last - first) / (end - start)


def device_cost(command):
    """IOPS as the guest says, and what the host's side of one costs."""
    sampler = None
    output = ""
    vmm = start_program(command)
    for line in vmm.stdout:
        output += line
        if line.startswith("# blkbench begins"):
            sampler = Sampler(vmm.pid)
            sampler.start()
        elif sampler and (found := re.search(r"(\d+) IOPS", line)):
            rate = int(found[1])
            cpus = sampler.stop()
    vmm.wait()
    if not sampler or "ok blkbench" not in output:
        raise failed(command, "no result", output)
    return {"rate": rate, "cpu_us": cpus / rate * 1e6}


def device(name, title, depth, queues, goal):
    disk = "4k.qcow2"
    words = f"ms=2000 depth={depth} queues={queues}"

    def prepare():
        want_kvm()
        run(["make", "-s", "-f", "guest-tests/bare/Makefile"], ALL_CPUS)
        warm(disk)
    return Case(name, {
        "alcor": lambda: device_cost(alcor_device(disk, words, queues)),
        "qemu": lambda: device_cost(qemu_device(disk, words, queues)),
    }, [Row(title, "rate", rivals=("qemu",), goal=goal),
        Row("", "cpu_us", rivals=("qemu",), goal=1 / 2)], prepare)


# --- From a start to the guest's first instruction ---------------------------

KERNEL_SIZE = 14 * MIB
INITRD_SIZE = 16 * MIB


def make_first():
    """A bzImage, an initial ramdisk and a firmware, of real sizes."""
    kernel = FOLDER / "first.bzimage"
    for path, section, size in ((kernel, ".kernel", KERNEL_SIZE),
                                (FOLDER / "first.rom", ".rom", 0)):
        code = FOLDER / "first.o"
        run(["gcc", "-c", "-o", code, "bench/guest/first.S"])
        run(["objcopy", "-O", "binary", "-j", section, code, path])
        with open(path, "ab") as file:
            file.write(os.urandom(max(size - file.tell(), 0)))
    (FOLDER / "first.initrd").write_bytes(os.urandom(INITRD_SIZE))


def first_cost(command):
    """When it said "!", and the CPU time until its end."""
    command = [TOOLS / "until", "!", *command]
    output = run(command).output
    found = re.search(r"until ms=(\S+) status=\d+ cpu_ms=(\S+)", output)
    if not found or float(found[1]) < 0:
        raise failed(command, "no instruction of the guest", output)
    return {"ms": float(found[1]), "cpu_ms": float(found[2])}


def first_instruction():
    files = ["first.bzimage", "first.initrd"]
    kernel, initrd = (FOLDER / name for name in files)
    microvm = [*MICROVM, *MACHINE, "-m", "1G", "-kernel", kernel,
               "-initrd", initrd]

    def prepare():
        want_kvm()
        FOLDER.mkdir(parents=True, exist_ok=True)
        make_first()
    title = "start to first guest instruction"
    return Case("start", {
        "alcor": lambda: first_cost(
            [ALCOR, "run", "--kernel", kernel, "--initrd", initrd,
             "--memory", "1G", "--debug-exit"]),
        "qemu": lambda: first_cost(microvm),
        "qemu, firmware's": lambda: first_cost(
            [*microvm, "-bios", FOLDER / "first.rom"]),
    }, [Row(title, "ms", rivals=("qemu, firmware's",), goal=0.15, bound=15),
        Row("", "cpu_ms", rivals=("qemu, firmware's",)),
        Row("start to the kernel's first instruction", "ms",
            rivals=("qemu",), goal=0.15),
        Row("", "cpu_ms", rivals=("qemu",))], prepare)


# --- A stock Linux -----------------------------------------------------------

class Nested(Case):
    """All rounds in one boot of the outer machine: see bench/nested."""

    def measure(self, rounds, tell):
        rounds = min(rounds, self.rounds)
        self.prepare()
        tell(f"{self.name}: a Linux guest, {rounds} rounds")
        output = run(["bench/nested", rounds], ALL_CPUS).output
        results = {name: [] for name in self.contenders}
        for vmm, numbers in re.findall(r"@@ bench (\w+) (.*=.*)", output):
            pairs = (word.split("=") for word in numbers.split())
            results[vmm].append({name: float(number)
                                 for name, number in pairs if number})
        if not any(results.values()):
            raise Failed(output.strip()[-300:])
        self.results = results


def linux():
    rivals = ("qemu",)

    def prepare():
        if ARCH != "x86_64":
            raise Skipped("its guests are x86_64's")
        image("256m.qcow2")
    return Nested("linux", {"alcor": None, "qemu": None}, [
        Row("Linux guest: start to init", "ms", rivals=rivals, goal=0.5),
        Row("Linux guest: 4K random read, depth 1", "rate", rivals=rivals,
            goal=2),
        Row("Linux guest: 1M sequential read", "mib", rivals=rivals, goal=1.5),
        Row("Linux guest: resident beyond its RAM", "kib", rivals=rivals,
            bound=3 * 1024),
    ], prepare, rounds=3)


# --- The program -------------------------------------------------------------

def binary_size():
    def measure():
        run(["make", "-s", "static"], ALL_CPUS)
        return {"kib": os.path.getsize(f"build/{ARCH}/alcor-static") / 1024}
    return Case("size", {"alcor": measure},
                [Row("static binary, stripped", "kib", bound=1536)], rounds=1)


def cases():
    return [
        device("device-d1", "guest: 4K random read, depth 1", 1, 1, 1.2),
        device("device-d32", "guest: 4K random read, depth 32", 32, 1, 2),
        device("device-queues", "guest: 4K random read, 4 queues, depth 32",
               32, 4, 2),
        linux(),
        first_instruction(),
        binary_size(),
    ]
