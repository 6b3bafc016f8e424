"""Where the CPU goes, for each stage of a query's upkeep.

Threads are named after what they do, so the first cut is the kernel's own count for each: those of sources read and decode,
`epochs` runs the circuits with the `worker-` threads, `journal` makes each epoch durable, `checkpoint` and RocksDB's write, the
others serve clients. Inside `epochs` the server's own clock (`/metrics`) says how its time is shared out between the circuits and
the putting together of checkpoints; that it waits for workers is taken off, and what they spend belongs to the circuits. What is
left is taking in records, the upkeep of keyed sources, publishing, and giving memory back. The last column has the operators
that took most of it, by the same clock (`floe_operator_seconds_total`).
"""

import re
import time

from common import Busy, finish, middle, nexmark_files, nexmark_text, parser, say, table, wait_for_quiet
from inputs import of_files
from server import Server, machine_busy

# By the beginning of a thread's name.
STAGES = [
    ("source-", "decode"), ("rdk:", "client"), ("epochs", "epochs"), ("worker-", "workers"), ("journal", "journal"),
    ("checkpoint", "write"), ("rocksdb", "write"),
]
INSIDE = {"circuits": "floe_step_seconds_sum", "freeze": "floe_checkpoint_stall_seconds_sum"}


def split(server):
    """CPU seconds since the start of the process, by stage; those of threads that have ended are what sources decode with."""
    found = {stage: 0.0 for _, stage in STAGES} | {"rest": 0.0}
    for name, spent in server.threads().items():
        stage = "decode" if name is None else next((stage for start, stage in STAGES if name.startswith(start)), "rest")
        found[stage] += spent
    return found


def slowest(metrics, circuits, count=3):
    """The operators that took most time, and their shares of the CPU seconds of the circuits."""
    found = {}
    for name, seconds in metrics.items():
        if match := re.match(r'floe_operator_seconds_total\{operator="(\w+)"', name):
            found[match[1]] = found.get(match[1], 0.0) + seconds
    share = circuits / max(sum(found.values()), 1e-9)
    return [(name, seconds * share) for name, seconds in sorted(found.items(), key=lambda pair: -pair[1])[:count]]


def measure(options, folder, query, mode):
    server = Server(options.floe, options.folder, options.workers)
    try:
        kept = mode == "view"
        text = nexmark_text(query)
        create = f"CREATE MATERIALIZED VIEW q AS {text};" if kept else f"CREATE SINK q AS {text} WITH (connector = 'blackhole');"
        others, before, used, begin = machine_busy(), split(server), server.cpu(), time.perf_counter()
        server.run_sql("\n".join(of_files(folder) + [create, "FLUSH;"]))
        wall, spent = time.perf_counter() - begin, server.cpu() - used
        result = {stage: seconds - before[stage] for stage, seconds in split(server).items()}
        metrics = server.metrics()
        inside = {stage: metrics.get(name, 0.0) for stage, name in INSIDE.items()}
        threads = sum(1 for name in server.threads() if (name or "").startswith("worker-"))
        inside["circuits"] = max(0.0, inside["circuits"] - result["workers"] / max(1, threads))
        # The clock also counts what others took of the core meanwhile; only the shares are used.
        clock = max(sum(inside.values()), result["epochs"])
        result |= {stage: seconds / clock * result["epochs"] for stage, seconds in inside.items()}
        result["other"] = result["epochs"] - sum(result[stage] for stage in INSIDE)
        result["circuits"] += result["workers"]
        operators = slowest(metrics, result["circuits"])
        return result | {"wall_s": wall, "cpu_s": spent, "others": max(0.0, machine_busy() - others - spent) / wall}, operators
    finally:
        server.stop()


def main():
    arguments = parser(__doc__)
    arguments.add_argument("--events", type=int, default=1_000_000)
    arguments.add_argument("--queries", default="q0,q4,q9,q16,q18")
    arguments.add_argument("--mode", choices=["sink", "view"], default="view")
    arguments.add_argument("--runs", type=int, default=3, help="runs of each query; figures are medians")
    arguments.add_argument("--workers", type=int)
    options = arguments.parse_args()
    folder = nexmark_files(options, "mixed", options.events)
    rows, lines, busy = [], [], Busy()
    for query in options.queries.split(","):
        runs = []
        for _ in range(options.runs):
            wait_for_quiet(options.quiet)
            result, operators = measure(options, folder, query, options.mode)
            runs.append(result)
            busy.note(runs[-1]["others"])
        found = middle(runs)
        rows.append({"query": query, "events": options.events, "mode": options.mode, "runs": runs})
        shown = ["cpu_s", "decode", "circuits", "journal", "freeze", "other", "write", "rest"]
        lines.append([query] + [f"{found[stage] / options.events * 1e6:.3f}" for stage in shown])
        lines[-1].append(", ".join(f"{name} {seconds / options.events * 1e6:.3f}" for name, seconds in operators))
        say(" | ".join(lines[-1]))
    head = ["query", "CPU s/M", "read and decode", "circuits", "journal", "checkpoint: put together", "rest of epochs", "checkpoint: write", "rest", "operators"]
    text = f"{options.events:,} events of all kinds in one stream, each query as a {options.mode}, medians of {options.runs} runs.\n\n"
    finish(options, "stages", text + table(head, lines), rows, busy)


if __name__ == "__main__":
    main()
