"""What a second worker on a second core gives: each query as a sink that keeps nothing, with one worker on one core and with two
on two, in turns on the same files.

The whole process is kept to its cores, its decoders and RocksDB's threads included: with one worker and two cores the
reading of files, the circuits and the checkpoints would share them already. Beside it stands what the machine itself gives:
two processes at once, each with one worker on a core of its own and all the events to itself. They share nothing but the
memory and what cores of one machine take from each other; what both do together, of what one does alone, is the bound.
"""

import os
import threading
import time

from common import Busy, finish, middle, nexmark_files, nexmark_text, parser, say, table, wait_for_quiet
from inputs import of_files
from server import Server, machine_busy


def measure(options, folder, query, cores, ready=lambda: None):
    """One process with a worker a core. `ready` is called between its start and the work."""
    every = os.sched_getaffinity(0)
    # A process that is started inherits the cores of the thread that starts it.
    os.sched_setaffinity(0, cores)
    try:
        server = Server(options.floe, options.folder, len(cores))
    finally:
        os.sched_setaffinity(0, every)
    try:
        create = f"CREATE SINK q AS {nexmark_text(query)} WITH (connector = 'blackhole');"
        ready()
        others, used, begin = machine_busy(), server.cpu(), time.perf_counter()
        server.run_sql("\n".join(of_files(folder) + [create, "FLUSH;"]))
        wall, spent = time.perf_counter() - begin, server.cpu() - used
        return {"wall_s": wall, "cpu_s": spent, "others": max(0.0, machine_busy() - others - spent) / wall}
    finally:
        server.stop()


def apart(options, folder, query, cores):
    """Two processes at once: what they take together, as if one had done half of it."""
    found, failed, barrier = [], [], threading.Barrier(2)

    def one(core):
        try:
            found.append(measure(options, folder, query, [core], barrier.wait))
        except BaseException as error:  # told by who waits
            failed.append(error)
            barrier.abort()

    threads = [threading.Thread(target=one, args=[core]) for core in cores]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    if failed:
        raise failed[0]
    total = {key: sum(run[key] for run in found) for key in ("wall_s", "cpu_s")}
    return {"wall_s": total["wall_s"] / 4, "cpu_s": total["cpu_s"] / 2, "others": 0.0}


def main():
    arguments = parser(__doc__)
    arguments.add_argument("--events", type=int, default=1_000_000)
    arguments.add_argument("--queries", default="q4,q5,q7,q9,q17,q18")
    arguments.add_argument("--runs", type=int, default=3, help="runs of each; figures are medians")
    options = arguments.parse_args()
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        raise SystemExit("two cores are needed")
    folder = nexmark_files(options, "split", options.events)
    rows, lines, busy = [], [], Busy()
    for query in options.queries.split(","):
        runs = {"one": [], "two": [], "apart": []}
        for _ in range(options.runs):
            for how, found in runs.items():
                wait_for_quiet(options.quiet)
                match how:
                    case "apart":
                        found.append(apart(options, folder, query, cores))
                    case _:
                        found.append(measure(options, folder, query, cores[:1] if how == "one" else cores))
                busy.note(found[-1]["others"])
        one, two, bound = (middle(found) for found in runs.values())
        rows.append({"query": query, "events": options.events} | runs)
        speed = lambda found: f"{options.events / found['wall_s']:,.0f}"
        cost = lambda found: f"{found['cpu_s'] / options.events * 1e6:.2f}"
        times = lambda found: f"{one['wall_s'] / found['wall_s']:.2f}"
        lines.append([query, speed(one), cost(one), speed(two), cost(two), times(two), cost(bound), times(bound)])
        say(" | ".join(lines[-1]))
    head = ["query", "one: events/s", "CPU s/M", "two: events/s", "CPU s/M", "two/one", "two apart: CPU s/M", "of one"]
    text = f"{options.events:,} events, each query as a sink, medians of {options.runs} runs in turns.\n\n"
    finish(options, "workers", text + table(head, lines), rows, busy)


if __name__ == "__main__":
    main()
