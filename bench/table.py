"""The table, as text."""

from case import QUANTITIES, lines_of

HEADS = ("case", "alcor", "QEMU", "ratio", "floor", "ratio", "goal", "")


def number_text(number):
    """With three digits or a few more."""
    if number is None:
        return "-"
    if number >= 100:
        return f"{number:,.0f}"
    return f"{number:.2f}"


def ratio_text(ratio):
    return "-" if ratio is None else f"{ratio:.2f}"


def goal_text(row):
    sign = ">=" if row.is_more_better else "<="
    parts = []
    if row.bound is not None:
        parts.append(f"{sign} {number_text(row.bound)}")
    if row.goal is not None:
        parts.append(f"{sign} {row.goal:.2f} QEMU")
    if row.floor_goal is not None:
        parts.append(f"{sign} {row.floor_goal:.2f} floor")
    return ", ".join(parts)


def verdict(line):
    if not line.has_goal or line.alcor is None:
        return ""
    return "reached" if line.is_reached else "missed"


def cells(line):
    """The texts of one line's columns."""
    row = line.row
    unit = QUANTITIES[row.quantity][0]
    rival = number_text(line.rival)
    if line.rival_name:
        rival += " " + line.rival_name.replace("qemu ", "")
    return (row.title, f"{number_text(line.alcor)} {unit}", rival.strip(),
            ratio_text(line.ratio), number_text(line.floor),
            ratio_text(line.floor_ratio), goal_text(row), verdict(line))


def table(cases):
    """Of the cases that have results."""
    lines = [cells(line) for case in cases for line in lines_of(case)]
    lines.insert(0, HEADS)
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADS))]
    return "\n".join(
        "  ".join(text.ljust(width) if i in (0, 6, 7) else text.rjust(width)
                  for i, (text, width) in enumerate(zip(line, widths)))
        .rstrip() for line in lines)
