"""What a second worker on a second core gives: each query as a sink that keeps nothing, with one worker on one core and with two
on two, in turns on the same files.

The whole process is kept to its cores, its decoders and RocksDB's threads included: with one worker and two cores the
reading of files, the circuits and the checkpoints would share them already.
"""

import os
import time

from common import Busy, finish, middle, nexmark_files, nexmark_text, parser, say, table, wait_for_quiet
from inputs import of_files
from server import Server, machine_busy


def measure(options, folder, query, workers):
    every = os.sched_getaffinity(0)
    # A process that is started inherits the cores of who starts it.
    os.sched_setaffinity(0, sorted(every)[:workers])
    try:
        server = Server(options.floe, options.folder, workers)
    finally:
        os.sched_setaffinity(0, every)
    try:
        create = f"CREATE SINK q AS {nexmark_text(query)} WITH (connector = 'blackhole');"
        others, used, begin = machine_busy(), server.cpu(), time.perf_counter()
        server.run_sql("\n".join(of_files(folder) + [create, "FLUSH;"]))
        wall, spent = time.perf_counter() - begin, server.cpu() - used
        return {"wall_s": wall, "cpu_s": spent, "others": max(0.0, machine_busy() - others - spent) / wall}
    finally:
        server.stop()


def main():
    arguments = parser(__doc__)
    arguments.add_argument("--events", type=int, default=1_000_000)
    arguments.add_argument("--queries", default="q4,q5,q7,q9,q17,q18")
    arguments.add_argument("--runs", type=int, default=3, help="runs of each; figures are medians")
    options = arguments.parse_args()
    if len(os.sched_getaffinity(0)) < 2:
        raise SystemExit("two cores are needed")
    folder = nexmark_files(options, "split", options.events)
    rows, lines, busy = [], [], Busy()
    for query in options.queries.split(","):
        runs = {1: [], 2: []}
        for _ in range(options.runs):
            for workers, found in runs.items():
                wait_for_quiet(options.quiet)
                found.append(measure(options, folder, query, workers))
                busy.note(found[-1]["others"])
        one, two = middle(runs[1]), middle(runs[2])
        rows.append({"query": query, "events": options.events, "one": runs[1], "two": runs[2]})
        speed = lambda found: f"{options.events / found['wall_s']:,.0f}"
        cost = lambda found: f"{found['cpu_s'] / options.events * 1e6:.2f}"
        lines.append([query, speed(one), cost(one), speed(two), cost(two), f"{one['wall_s'] / two['wall_s']:.2f}"])
        say(" | ".join(lines[-1]))
    head = ["query", "one: events/s", "CPU s/M", "two: events/s", "CPU s/M", "two/one"]
    text = f"{options.events:,} events, each query as a sink, medians of {options.runs} runs in turns.\n\n"
    finish(options, "workers", text + table(head, lines), rows, busy)


if __name__ == "__main__":
    main()
