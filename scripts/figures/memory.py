"""What it costs when state is larger than --memory.

Each query runs as a view over the same events twice: with memory for everything, and with a --memory of a part of what its
state took then. From the first CREATE to the answer of FLUSH and of CHECKPOINT. Both answers are compared. RSS is the
largest that was seen, and counts the program itself, which is about 60 MiB before anything is kept.
"""

import threading
import time

from common import Busy, finish, nexmark_files, nexmark_text, parser, say, table, wait_for_quiet
from inputs import of_files
from server import Server, machine_busy

PLENTY = "16GiB"


class Watch(threading.Thread):
    """The largest RSS of a server's process."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.most, self.ends = server, 0.0, threading.Event()
        self.start()

    def run(self):
        while not self.ends.wait(0.02):
            self.most = max(self.most, self.server.resident_mib())

    def stop(self):
        self.ends.set()
        self.join()
        return self.most


def total(metrics, name):
    return sum(value for key, value in metrics.items() if key.startswith(name))


def run(options, folder, query, memory):
    server = Server(options.floe, options.folder, options.workers, flags=["--memory", memory])
    try:
        watch = Watch(server)
        script = "\n".join(of_files(folder) + [f"CREATE MATERIALIZED VIEW q AS {nexmark_text(query)};", "FLUSH;", "CHECKPOINT;"])
        others, used, begin = machine_busy(), server.cpu(), time.perf_counter()
        server.run_sql(script)
        wall, spent = time.perf_counter() - begin, server.cpu() - used
        others = max(0.0, machine_busy() - others - spent) / wall
        most, metrics = watch.stop(), server.metrics()
        answer = f"{server.folder}/answer"
        server.save("SELECT * FROM q", answer)
        with open(answer) as lines:
            rows = sorted(lines.readlines()[1:])
        return {
            "memory": memory, "wall_s": wall, "cpu_s": spent, "rss_mib": most, "rows": len(rows), "answer": hash(tuple(rows)),
            "state_mib": total(metrics, "floe_operator_state_bytes") / 2**20,
            "evicted_mib": total(metrics, "floe_operator_state_evicted_bytes") / 2**20,
            "found": total(metrics, "floe_operator_pages_found_total"), "read": total(metrics, "floe_operator_pages_read_total"),
            "others": others,
        }
    finally:
        server.kill()
        server.stop()


def main():
    arguments = parser(__doc__)
    arguments.add_argument("--events", type=int, default=1_000_000)
    arguments.add_argument("--queries", default="q9,q18,q20")
    arguments.add_argument("--times", type=float, default=10, help="how many times --memory state is")
    arguments.add_argument("--workers", type=int)
    options = arguments.parse_args()
    folder, rows, lines, busy = nexmark_files(options, "mixed", options.events), [], [], Busy()
    for query in options.queries.split(","):
        wait_for_quiet(options.quiet)
        whole = run(options, folder, query, PLENTY)
        say(f"{query}: {whole}")
        memory = max(1, round(whole["state_mib"] / options.times))
        part = run(options, folder, query, f"{memory}MiB")
        say(f"{query}: {part}")
        if part["answer"] != whole["answer"]:
            raise SystemExit(f"{query}: another answer with {memory} MiB: {part['rows']} rows instead of {whole['rows']}")
        busy.note(max(whole["others"], part["others"]))
        rows.append({"query": query, "events": options.events, "whole": whole, "part": part})
        lines.append([
            query, f"{whole['state_mib']:.0f}", memory, f"{part['evicted_mib']:.0f}", f"{part['rss_mib']:.0f}", f"{whole['rss_mib']:.0f}",
            f"{whole['wall_s']:.2f}", f"{part['wall_s']:.2f}", f"{whole['wall_s'] / part['wall_s']:.2f}",
            f"{whole['cpu_s'] / part['cpu_s']:.2f}", f"{part['found'] / max(1, part['found'] + part['read']):.0%}", f"{part['read']:,.0f}",
        ])
    head = [
        "query, as a view", "state MiB", "--memory MiB", "of state on disk alone MiB", "RSS at most MiB", "RSS with plenty MiB", "plenty s",
        "little s", "wall ratio", "CPU ratio", "pages found", "pages read",
    ]
    finish(options, "memory", f"{options.events:,} events, one run each.\n\n" + table(head, lines), rows, busy)


if __name__ == "__main__":
    main()
