"""What is measured: cases, their contenders, and the table's rows of them."""

import statistics
from dataclasses import dataclass, field
from typing import Callable, Optional

from process import Failed

# name: (unit, is more better)
QUANTITIES = {
    "cpu_us": ("us CPU", False),
    "rate": ("/s", True),
    "mib": ("MiB/s", True),
    "ns": ("ns", False),
    "ms": ("ms", False),
    "cpu_ms": ("ms CPU", False),
    "kib": ("KiB", False),
}


class Skipped(Exception):
    """A case cannot run here; says why."""


@dataclass
class Row:
    """One line of the table: a quantity of some of a case's contenders.

    `rivals` are QEMU's; the best of them counts. `goal` is for alcor / QEMU,
    `floor_goal` for alcor / floor, `bound` for alcor's own number. Each is the
    worst number that reaches it.
    """
    title: str
    quantity: str
    alcor: str = "alcor"
    rivals: tuple = ()
    floor: Optional[str] = None
    goal: Optional[float] = None
    floor_goal: Optional[float] = None
    bound: Optional[float] = None

    @property
    def is_more_better(self):
        return QUANTITIES[self.quantity][1]

    def is_reached(self, number, limit):
        if limit is None or number is None:
            return True
        return number >= limit if self.is_more_better else number <= limit


@dataclass
class Case:
    """Contenders that are measured in turns, and the rows that come of it.

    A contender is a function that returns its quantities, as a dictionary; it
    may raise Failed, which costs this contender's numbers only. `prepare` may
    raise Skipped.
    """
    name: str
    contenders: dict
    rows: list
    prepare: Callable = lambda: None
    rounds: Optional[int] = None  # at most so many: a round takes long
    results: dict = field(default_factory=dict)

    def measure(self, rounds, tell):
        """All contenders, each once a round, forwards and backwards."""
        rounds = min(rounds, self.rounds or rounds)
        self.prepare()
        self.results = {name: [] for name in self.contenders}
        for number in range(rounds):
            order = list(self.contenders)
            for name in order if number % 2 == 0 else reversed(order):
                tell(f"{self.name} {number + 1}/{rounds} {name}")
                try:
                    self.results[name].append(self.contenders[name]())
                except Failed as failure:
                    tell(f"{self.name} {name}: {failure}", lasting=True)


@dataclass
class Line:
    """A row with its numbers; None where there are none."""
    row: Row
    alcor: Optional[float]
    rival: Optional[float]
    rival_name: str
    floor: Optional[float]

    @property
    def ratio(self):
        return divide(self.alcor, self.rival)

    @property
    def floor_ratio(self):
        return divide(self.alcor, self.floor)

    @property
    def is_reached(self):
        row = self.row
        return (row.is_reached(self.ratio, row.goal)
                and row.is_reached(self.floor_ratio, row.floor_goal)
                and row.is_reached(self.alcor, row.bound))

    @property
    def has_goal(self):
        row = self.row
        return any(limit is not None
                   for limit in (row.goal, row.floor_goal, row.bound))


def divide(a, b):
    return a / b if a is not None and b else None


def median(results, contender, quantity):
    numbers = [one[quantity] for one in results.get(contender, [])
               if quantity in one]
    return statistics.median(numbers) if numbers else None


def line_of(row, results):
    """The row's numbers out of a case's results."""
    rivals = {name: median(results, name, row.quantity)
              for name in row.rivals}
    rivals = {name: number for name, number in rivals.items()
              if number is not None}
    best = max if row.is_more_better else min
    name = best(rivals, key=rivals.get) if rivals else ""
    return Line(row, median(results, row.alcor, row.quantity),
                rivals.get(name), name,
                median(results, row.floor, row.quantity))


def lines_of(case):
    """All of its rows, unless nothing was measured."""
    if not case.results:
        return []
    return [line_of(row, case.results) for row in case.rows]
