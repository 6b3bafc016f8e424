"""The pieces of floe one by one: what `cargo bench --bench pieces` measures, as a table.

Each figure is of a batch of ten thousand rows, changes or records; the state that a piece works on is there before, and is as
large after each round as it was before it. Times are the clock's, so they are those of a quiet machine only.
"""

import os
import re
import subprocess
import time

from common import ROOT, Busy, finish, parser, table, wait_for_quiet
from server import machine_busy

# A line of a piece, or of one of its variants a step further in; its figures are fastest, slowest, median and mean, and the
# line below it has the rates in the same order, where items are counted.
PIECE = re.compile(r"^(│ {2}| {3})?[├╰]─ (\w+)(.*)$")
TIME = re.compile(r"([\d.]+) (ns|µs|ms|s)\b")
RATE = re.compile(r"([\d.]+) ([KMG]?)item/s")
MILLIS = {"ns": 1e-6, "µs": 1e-3, "ms": 1, "s": 1e3}
MILLIONS = {"": 1e-6, "K": 1e-3, "M": 1, "G": 1e3}


def main():
    arguments = parser(__doc__)
    arguments.add_argument("--only", default="", help="a part of the names of the pieces that are wanted")
    options = arguments.parse_args()
    command = [os.environ.get("CARGO", "cargo"), "bench", "--locked", "--bench", "pieces"]
    subprocess.run([*command, "--no-run"], cwd=ROOT, check=True)
    wait_for_quiet(options.quiet)
    others, begin = machine_busy() - sum(os.times()[2:4]), time.perf_counter()
    run = subprocess.run([*command, "--", *filter(None, [options.only])], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    busy, rows, lines = Busy(), [], []
    busy.note(max(0.0, machine_busy() - sum(os.times()[2:4]) - others) / (time.perf_counter() - begin))
    printed = run.stdout.splitlines()
    for line, below in zip(printed, printed[1:]):
        if not (found := PIECE.match(line)):
            continue
        within, name, figures = found.groups()
        if not within:
            piece = name
        times = [float(number) * MILLIS[unit] for number, unit in TIME.findall(figures)]
        rates = [float(number) * MILLIONS[unit] for number, unit in RATE.findall(below)]
        if not times:
            continue
        name = f"{piece} {name}" if within else name
        rate = rates[2] if rates else None
        rows.append({"piece": name, "median_ms": times[2], "fastest_ms": times[0], "millions_s": rate})
        lines.append([name.replace("_", " "), f"{times[2]:.2f}", f"{times[0]:.2f}", f"{rate:.2f}" if rates else ""])
    finish(options, "pieces", table(["piece, ten thousand of each", "median ms", "fastest ms", "millions/s, median"], lines), rows, busy)


main()
