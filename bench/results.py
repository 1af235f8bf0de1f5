"""All cases, and what was measured of them: build/bench/results/CASE.json."""

import json
import os
import subprocess
import time
from dataclasses import asdict
from pathlib import Path

import cases_guest
import cases_image
from case import lines_of

RESULTS = Path("build/bench/results")


def all_cases():
    return cases_image.cases() + cases_guest.cases()


def output_of(*command):
    return subprocess.run(command, capture_output=True, text=True,
                          check=False).stdout


def machine():
    """What the numbers were measured on."""
    models = [line.split(":")[1].strip()
              for line in Path("/proc/cpuinfo").read_text().split("\n")
              if line.startswith("model name")]
    return {
        "cpu": (models or ["unknown"])[0],
        "cpus": os.cpu_count(),
        "kernel": os.uname().release,
        "qemu": output_of("qemu-img", "--version").split("\n", maxsplit=1)[0],
        "alcor": output_of("git", "describe", "--always", "--dirty").strip(),
        "load": os.getloadavg()[0],
        "time": time.strftime("%Y-%m-%dT%H:%M:%S"),
    }


def save(case):
    """All numbers, and the medians and ratios that the table shows."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    data = {
        "case": case.name,
        "machine": machine(),
        "contenders": case.results,
        "lines": [{**asdict(line), "ratio": line.ratio,
                   "floor_ratio": line.floor_ratio,
                   "is_reached": line.is_reached}
                  for line in lines_of(case)],
    }
    path = RESULTS / f"{case.name}.json"
    path.write_text(json.dumps(data, indent=1) + "\n")


def load(case):
    """What was saved last, if anything was."""
    path = RESULTS / f"{case.name}.json"
    if path.exists():
        case.results = json.loads(path.read_text())["contenders"]
