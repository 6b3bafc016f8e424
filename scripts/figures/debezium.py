"""A Debezium change log, counted and summed by customer, from files and from a topic.

Each message brings its schema, as the connector ships it by default; the source is keyed by the order's id. Each run is a
fresh server; the clock and the CPU count go from the first CREATE to the answer of FLUSH. The answer is compared whole with
DuckDB's, which takes the last change of each order from the same lines. With --full, where each change brings the row as it was,
Flink SQL reads the same files, if scripts/bench-peers has installed it.
"""

import csv
import os
import time
from pathlib import Path

import duckdb

import peers
from common import Busy, file_options, finish, generated, kafka_options, middle, parser, say, table, wait_for_quiet
from server import Server, machine_busy
from stages import split

COLUMNS = "id BIGINT, customer_id BIGINT, amount BIGINT, created_at TIMESTAMP, status VARCHAR, note VARCHAR, PRIMARY KEY (id)"
VIEW = "CREATE MATERIALIZED VIEW by_customer AS SELECT customer_id, count(*) AS n, sum(amount) AS total FROM orders GROUP BY customer_id;"
# One JVM warms up; the last run says what it takes when it is warm.
FLINK_RUNS = 3
TOPIC = f"floe-bench-orders-{os.getpid()}"


def measure(options, source):
    server = Server(options.floe, options.folder, options.workers)
    try:
        script = f"CREATE SOURCE orders ({COLUMNS}) WITH ({source}) FORMAT DEBEZIUM ENCODE JSON;\n{VIEW}\nFLUSH;"
        others, used, begin = machine_busy(), server.cpu(), time.perf_counter()
        server.run_sql(script)
        wall, spent = time.perf_counter() - begin, server.cpu() - used
        result = {"wall_s": wall, "cpu_s": spent, "rss_mib": server.peak_mib(), "others": max(0.0, machine_busy() - others - spent) / wall}
        result |= split(server)
        if (dead := server.rows("SELECT dead_letters FROM floe_sources")) != ["0"]:
            raise SystemExit(f"{dead} records were not decoded")
        answer = f"{server.folder}/answer.csv"
        server.save("SELECT customer_id, n, total FROM by_customer", answer)
        with open(answer) as rows:
            found = sorted(tuple(int(float(cell)) for cell in row) for row in list(csv.reader(rows))[1:])
        return result, found
    finally:
        server.stop()


def judge(folder):
    """DuckDB's answer, and what it costs to compute it once."""
    row = "STRUCT(id BIGINT, customer_id BIGINT, amount BIGINT)"
    payload = f'STRUCT("before" {row}, "after" {row}, op VARCHAR, source STRUCT(lsn BIGINT))'
    connection = duckdb.connect()
    connection.execute("SET threads = 2")
    connection.execute("SET preserve_insertion_order = false")
    used, begin = time.process_time(), time.perf_counter()
    rows = connection.execute(f"""
        WITH changes AS (
          SELECT payload.op AS op, payload.source.lsn AS lsn, payload."after" AS later, coalesce(payload."after".id, payload."before".id) AS id
          FROM read_json('{folder}/part-*.jsonl', format = 'newline_delimited', columns = {{payload: '{payload}'}})),
        latest AS (SELECT id, arg_max(later, lsn) AS row, arg_max(op, lsn) AS op FROM changes GROUP BY id)
        SELECT row.customer_id, count(*), sum(row.amount)::BIGINT FROM latest WHERE op <> 'd' GROUP BY ALL""").fetchall()
    return sorted(rows), {"cpu_s": time.process_time() - used, "wall_s": time.perf_counter() - begin}


def main():
    arguments = parser(__doc__)
    arguments.add_argument("--changes", type=int, default=300_000)
    arguments.add_argument("--parts", type=int, default=2, help="files, and partitions of the topic")
    arguments.add_argument("--runs", type=int, default=3, help="runs of each input; figures are medians")
    arguments.add_argument("--inputs", default="file,kafka")
    arguments.add_argument("--workers", type=int)
    arguments.add_argument("--full", action="store_true", help="REPLICA IDENTITY FULL: each change brings the row as it was, as Flink needs it")
    options = arguments.parse_args()
    common = ["orders", "--changes", options.changes, "--parts", options.parts] + ["--full"] * options.full
    name = f"orders-{options.changes}-{options.parts}" + "-full" * options.full
    values = generated(options, name, common)
    size = sum(path.stat().st_size for path in values.iterdir()) / options.changes
    sources, rows, lines, busy = {}, [], [], Busy()
    wanted = options.inputs.split(",")
    try:
        if "file" in wanted:
            sources["files"] = file_options(f"{values}/part-*.jsonl")
        if "kafka" in wanted:
            import consumer
            import topics
            messages = generated(options, f"{name}-keys", common + ["--keys"])
            count = topics.fill(TOPIC, sorted(messages.glob("part-*.jsonl")), keyed=True)
            alone = middle([consumer.read_all(TOPIC, options.parts, count) for _ in range(options.runs)])
            rows.append({"input": "librdkafka alone", "changes": options.changes} | alone)
            rate, per_second = options.changes / alone["wall_s"], alone["bytes"] / alone["wall_s"] / 1e6
            lines.append(["librdkafka alone", f"{rate:,.0f}", f"{per_second:,.0f}", f"{alone['cpu_s'] / options.changes * 1e6:.2f}"] + [""] * 7)
            sources["a topic"] = kafka_options(TOPIC)
        expected, once = judge(values)
        for input, source in sources.items():
            runs = []
            for _ in range(options.runs):
                wait_for_quiet(options.quiet)
                result, found = measure(options, source)
                if found != expected:
                    raise SystemExit(f"the answer from {input} is wrong: {set(found) ^ set(expected)}"[:1000])
                busy.note(result["others"])
                say(f"{input}: {result['wall_s']:.2f} s, {result['cpu_s'] / options.changes * 1e6:.2f} CPU s/M, {result['rss_mib']:.0f} MiB")
                runs.append(result)
            found = middle(runs)
            rows.append({"input": input, "changes": options.changes, "bytes": size, "runs": runs, "duckdb": once})
            lines.append([
                input, f"{options.changes / found['wall_s']:,.0f}", f"{size * options.changes / found['wall_s'] / 1e6:,.0f}",
                *(f"{found[what] / options.changes * 1e6:.2f}" for what in ("cpu_s", "decode", "client", "epochs", "write")),
                f"{found['rss_mib']:.0f}", f"{once['cpu_s'] / options.changes * 1e6:.2f}", "equal",
            ])
    finally:
        if "kafka" in wanted:
            import topics
            topics.remove(TOPIC)
    # It reads no update without the row as it was.
    program = peers.installed(["flink"]).get("flink") if options.full and "file" in wanted else None
    if program:
        for number, result in enumerate(peers.orders(program, values, FLINK_RUNS), 1):
            what = f"{peers.version('flink')}, files, run {number} in its JVM"
            per_million = result["cpu_s"] / options.changes * 1e6
            say(f"{what}: {result['wall_s']:.2f} s, {per_million:.2f} CPU s/M")
            rows.append({"input": what, "changes": options.changes} | result)
            rate = options.changes / result["wall_s"]
            lines.append([what, f"{rate:,.0f}", f"{rate * size / 1e6:,.0f}", f"{per_million:.2f}"] + [""] * 4 + [f"{result['rss_mib']:.0f}", "", ""])
    text = f"{options.changes:,} changes of {size:,.0f} bytes, {len(expected):,} customers, medians of {options.runs} runs.\n\n"
    head = ["input", "changes/s", "MB/s", "CPU s/M", "decoding", "librdkafka", "epochs", "checkpoint: write", "peak MiB", "DuckDB once, CPU s/M", "answer"]
    finish(options, "debezium", text + table(head, lines), rows, busy)


main()
