"""How soon an event is in an answer, and how long a look-up takes, while events come in.

freshness: a process writes 10,000 events a second, a block each five milliseconds; this one asks for the newest event in a
view, again and again, through a prepared statement. An event's latency goes from just before it was written to the arrival
of the first answer that shows it, so it contains the question's own time. Checkpoints run as they do by default.

lookup: 100,000 events a second come in from a file; this process asks for one row of a view by its key, through a prepared
statement of psycopg over loopback. The time is the client's: it holds the driver's, the kernel's and the server's share.
`SELECT 1` the same way is the floor.

In the server: what `floe_statement_seconds` in /metrics counted of the same statements meanwhile, from the first message of a
statement to the last byte of its answer.
"""

import multiprocessing
import os
import random
import resource
import time

import psycopg

from common import Busy, finish, kafka_options, parser, percentile, say, table, wait_for_quiet
from server import Server, machine_busy, quantile
from writer import block as block_of, to_file, to_topic

COLUMNS = "n BIGINT, k BIGINT, amount BIGINT, at BIGINT, note VARCHAR"
KEYS = 10_000
SELECTS = 'kind="select"'
TOPIC = f"floe-bench-latency-{os.getpid()}"


class Load:
    """A server with a view that is kept up while another process writes."""

    def __init__(self, options, input, rate, views):
        self.server = Server(options.floe, options.folder, options.workers)
        path = f"{self.server.folder}/events.jsonl"
        if input == "file":
            open(path, "w").close()
            source, target, where = f"connector = 'file', path = '{path}', follow = 'true'", to_file, path
        else:
            import topics
            topics.create(TOPIC, 1)
            source, target, where = kafka_options(TOPIC), to_topic, TOPIC
        self.server.run_sql("\n".join([f"CREATE SOURCE events ({COLUMNS}) WITH ({source}) FORMAT PLAIN ENCODE JSON;", *views]))
        self.client = psycopg.connect(host="127.0.0.1", port=self.server.port, user="floe", dbname="floe", autocommit=True, prepare_threshold=0)
        self.times = multiprocessing.Array("d", rate * (options.seconds + 60) // block_of(rate) + 2, lock=False)
        self.writer = multiprocessing.Process(target=target, args=(where, rate, options.seconds + 2, KEYS, self.times), daemon=True)
        self.others, self.used, self.begin, self.own = machine_busy(), self.server.cpu(), time.perf_counter(), own()
        self.writer.start()

    def selects(self):
        return self.server.counts("floe_statement_seconds", SELECTS)

    def end(self):
        """What the server used of a core, and what all others but this client and the writer did."""
        self.writer.join()
        wall = time.perf_counter() - self.begin
        spent = self.server.cpu() - self.used
        # Without the server, this process and the writer.
        others = max(0.0, machine_busy() - self.others - spent - (own() - self.own)) / wall
        dead = self.server.rows("SELECT dead_letters FROM floe_sources")
        read = int(self.server.rows("SELECT records FROM floe_sources")[0])
        self.client.close()
        self.server.stop()
        if dead != ["0"]:
            raise SystemExit(f"{dead} records were not decoded")
        return {"server": spent / wall, "events_s": read / wall, "others": others}


def own():
    """CPU seconds of this process and of writers that have ended."""
    return sum(resource.getrusage(who).ru_utime + resource.getrusage(who).ru_stime for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def freshness(options, input):
    rate = options.rate
    load = Load(options, input, rate, [
        "CREATE MATERIALIZED VIEW newest AS SELECT max(n) AS n FROM events;",
        "CREATE MATERIALIZED VIEW by_key AS SELECT k, count(*) AS n, sum(amount) AS total FROM events GROUP BY k;",
    ])
    block = block_of(rate)
    found, seen, cursor, asked = [], 0, load.client.cursor(), []
    end = time.perf_counter() + options.seconds
    # The first second warms everything up.
    warm, counted = time.perf_counter() + 1, load.selects()
    while time.perf_counter() < end:
        before = time.perf_counter()
        newest = cursor.execute("SELECT n FROM newest").fetchone()[0]
        now = time.perf_counter()
        asked.append(now - before)
        # Blocks become visible whole or in parts: one counts when its last event is there.
        visible = 0 if newest is None else (newest + 1) // block
        if now > warm:
            found += [now - load.times[number] for number in range(seen, visible)]
        seen = max(seen, visible)
        time.sleep(0.0005)
    result = {"p50": percentile(found, 50), "p99": percentile(found, 99), "max": max(found), "select_p50": percentile(asked, 50)}
    result["inside"] = quantile(counted, load.selects(), 0.99)
    return result | {"events": len(found) * block} | load.end()


def lookup(options, text, values):
    """One prepared statement again and again, with what `values` gives each time."""
    load = Load(options, "file", options.lookup_rate, [
        "CREATE MATERIALIZED VIEW by_key AS SELECT k, count(*) AS n, sum(amount) AS total FROM events GROUP BY k;",
    ])
    cursor, found = load.client.cursor(), []
    end, warm, counted = time.perf_counter() + options.seconds, time.perf_counter() + 1, None
    while time.perf_counter() < end:
        given = values()
        before = time.perf_counter()
        cursor.execute(text, given).fetchone()
        now = time.perf_counter()
        if now > warm:
            counted = counted or load.selects()
            found.append(now - before)
        time.sleep(0.002)
    inside = quantile(counted, load.selects(), 0.99)
    return {"p50": percentile(found, 50), "p99": percentile(found, 99), "max": max(found), "inside": inside, "asked": len(found)} | load.end()


def millis(seconds):
    return f"{seconds * 1000:.2f}"


def main():
    arguments = parser(__doc__)
    arguments.add_argument("--seconds", type=int, default=20, help="how long each is measured")
    arguments.add_argument("--rate", type=int, default=10_000, help="events a second, for freshness")
    arguments.add_argument("--lookup-rate", type=int, default=100_000, help="events a second, for look-ups")
    arguments.add_argument("--parts", default="freshness,lookup")
    arguments.add_argument("--inputs", default="file,kafka", help="for freshness")
    arguments.add_argument("--workers", type=int)
    options = arguments.parse_args()
    rows, lines, busy, wanted = [], [], Busy(), options.parts.split(",")
    def add(name, found):
        rows.append({"what": name} | found)
        busy.note(found["others"])
        lines.append([name] + [millis(found[key]) for key in ("p50", "p99", "max", "inside")] + [f"{found['events_s']:,.0f}", f"{found['server']:.0%}"])
        say(" | ".join(lines[-1]))
    try:
        # What others wrote is on the disk first: an epoch is shown when its journal entry is.
        os.sync()
        if "freshness" in wanted:
            for input in options.inputs.split(","):
                wait_for_quiet(options.quiet)
                add(f"freshness, {'a file' if input == 'file' else 'a Kafka topic'}", freshness(options, input))
        if "lookup" in wanted:
            draw = random.Random(1)
            by_key = ("SELECT n, total FROM by_key WHERE k = %s", lambda: (draw.randrange(KEYS),))
            for name, (text, values) in {"SELECT 1": ("SELECT 1", lambda: None), "by key": by_key}.items():
                wait_for_quiet(options.quiet)
                add(f"look-up, {name}", lookup(options, text, values))
    finally:
        if "kafka" in options.inputs and "freshness" in wanted:
            import topics
            topics.remove(TOPIC)
    text = f"Milliseconds at the client, over loopback, {options.seconds} s each.\n\n"
    head = ["what", "p50 ms", "p99 ms", "max ms", "p99 in the server ms", "events/s meanwhile", "floe's CPU, of a core"]
    finish(options, "latency", text + table(head, lines), rows, busy)


if __name__ == "__main__":
    main()
