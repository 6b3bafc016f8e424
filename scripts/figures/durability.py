"""What durability costs and gives.

cost: queries with the journal and checkpoints as they are by default, beside the same with a checkpoint interval of hours and
the state directory in memory (/dev/shm), where a sync is no disk's: all of what the journal and the checkpoints do is then
left out but the noting of what changed. Runs take turns. How long each checkpoint stopped the epochs is in the server's log.

recovery: a view is filled until its state is so large, a checkpoint is asked for, and the process is killed by SIGKILL while
nothing comes in. From the start of the next process to the first answer of a SELECT, and to the first change that is
answered. The files are in the page cache.

start: an empty directory, to the moment at which /readyz says yes. idle: ten sources that are followed, and ten views.
"""

import statistics
import time

import psycopg

from common import Busy, finish, middle, nexmark_files, nexmark_text, parser, percentile, say, table, wait_for_quiet
from inputs import of_files
from server import STALLS, Server, machine_busy

OFF = "1000h"


def cost_run(options, folder, query, durable):
    server = Server(
        options.floe, options.folder, options.workers, flags=[] if durable else ["--checkpoint-interval", OFF],
        data=None if durable else "/dev/shm", log=STALLS,
    )
    try:
        script = "\n".join(of_files(folder) + [f"CREATE MATERIALIZED VIEW q AS {nexmark_text(query)};", "FLUSH;"])
        others, used, begin = machine_busy(), server.cpu(), time.perf_counter()
        server.run_sql(script)
        wall, spent = time.perf_counter() - begin, server.cpu() - used
        result = {"wall_s": wall, "cpu_s": spent, "others": max(0.0, machine_busy() - others - spent) / wall}
        return result, server.stalls() if durable else []
    finally:
        # No last checkpoint into memory.
        server.kill()
        server.stop()


def cost(options, rows, busy):
    folder, lines = nexmark_files(options, "mixed", options.events), []
    for query in options.queries.split(","):
        runs, stalls = {True: [], False: []}, []
        for _ in range(options.runs):
            for durable in (True, False):
                wait_for_quiet(options.quiet)
                result, found = cost_run(options, folder, query, durable)
                say(f"{query} {'durable' if durable else 'off'}: {result['wall_s']:.2f} s, {result['cpu_s'] / options.events * 1e6:.2f} CPU s/M")
                busy.note(result["others"])
                runs[durable].append(result)
                stalls += found
        on, off = middle(runs[True]), middle(runs[False])
        rows.append({"what": "cost", "query": query, "events": options.events, "on": runs[True], "off": runs[False], "stalls": stalls})
        lines.append([
            query, f"{options.events / on['wall_s']:,.0f}", f"{options.events / off['wall_s']:,.0f}", f"{off['wall_s'] / on['wall_s']:.2f}",
            f"{on['cpu_s'] / options.events * 1e6:.2f}", f"{off['cpu_s'] / options.events * 1e6:.2f}", f"{off['cpu_s'] / on['cpu_s']:.2f}",
            len(stalls), f"{percentile(stalls, 50) * 1000:.1f}", f"{percentile(stalls, 99) * 1000:.1f}",
        ])
    head = [
        "query, as a view", "on: events/s", "off: events/s", "on/off", "on: CPU s/M", "off: CPU s/M", "off/on CPU", "checkpoints",
        "stall p50 ms", "stall p99 ms",
    ]
    return f"Journal and checkpoints, {options.events:,} events, medians of {options.runs} pairs.\n\n" + table(head, lines)


def ask_until(server, text, seconds=600):
    """When the server first answers, as seconds since `perf_counter` began."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        try:
            with psycopg.connect(host="127.0.0.1", port=server.port, user="floe", dbname="floe", autocommit=True, connect_timeout=2) as client:
                client.execute(text)
                return time.perf_counter()
        except psycopg.OperationalError:
            time.sleep(0.005)
    raise RuntimeError(f"no answer after {seconds} s:\n{server.said()}")


def recovery(options, rows, busy):
    """The view is q18: the newest bid of each bidder on each auction. A million events are 0.18 GiB of it."""
    lines = []
    for gigabytes in (float(size) for size in options.gigabytes.split(",")):
        events = int(gigabytes * options.events_per_gigabyte)
        folder = nexmark_files(options, "mixed", events)
        server = Server(options.floe, options.folder, options.workers, log=STALLS)
        try:
            server.run_sql("\n".join([
                *of_files(folder), f"CREATE MATERIALIZED VIEW q AS {nexmark_text('q18')};", "CREATE TABLE beat (n INT);", "FLUSH;", "CHECKPOINT;",
            ]))
            state = sum(value for name, value in server.metrics().items() if name.startswith("floe_operator_state_bytes"))
            count, disk, memory, stalls = server.rows("SELECT count(*) FROM q")[0], server.disk_mib(), server.resident_mib(), server.stalls()
            server.kill()
            begin = time.perf_counter()
            server.launch()
            answered = ask_until(server, "SELECT * FROM q WHERE auction = 1 AND bidder = 1") - begin
            changed = ask_until(server, "INSERT INTO beat VALUES (1)") - begin
            used = server.cpu()
            if (again := server.rows("SELECT count(*) FROM q")[0]) != count:
                raise SystemExit(f"the view had {count} rows and has {again} after the recovery")
            found = {"select_s": answered, "epoch_s": changed, "cpu_s": used, "state": state, "disk_mib": disk, "rss_mib": memory}
            rows.append({"what": "recovery", "events": events, "stalls": stalls} | found)
            lines.append([
                f"{events:,} events, {int(count):,} rows", f"{state / 2**30:.2f}", f"{memory / 1024:.2f}", f"{disk / 1024:.2f}", f"{answered:.2f}",
                f"{changed:.2f}", f"{used:.1f}", len(stalls), f"{percentile(stalls, 50) * 1000:.1f}", f"{percentile(stalls, 99) * 1000:.1f}",
            ])
            say(" | ".join(map(str, lines[-1])))
        finally:
            server.stop()
    head = [
        "q18 as a view", "state GiB", "RSS GiB", "on disk GiB", "to the first SELECT s", "to the first epoch s", "CPU s", "checkpoints before",
        "stall p50 ms", "stall p99 ms",
    ]
    return "Recovery after SIGKILL.\n\n" + table(head, lines)


def start(options, rows, busy):
    found = []
    for _ in range(max(3, options.runs)):
        server = Server(options.floe, options.folder, options.workers)
        found.append(server.started)
        server.stop()
    rows.append({"what": "start", "seconds": found})
    return ["start on an empty directory, to ready", f"{statistics.median(found) * 1000:.0f} ms"]


def idle(options, rows, busy):
    """Ten files that are followed, a view over each; nothing is written while it is measured."""
    server = Server(options.floe, options.folder, options.workers)
    try:
        statements = []
        for number in range(10):
            path = f"{server.folder}/{number}.jsonl"
            with open(path, "w") as lines:
                lines.writelines(f'{{"k":{n % 100},"v":{n}}}\n' for n in range(1000))
            statements.append(f"CREATE SOURCE s{number} (k INT, v BIGINT) WITH (connector = 'file', path = '{path}') FORMAT PLAIN ENCODE JSON;")
            statements.append(f"CREATE MATERIALIZED VIEW v{number} AS SELECT k, count(*) AS n, sum(v) AS total FROM s{number} GROUP BY k;")
        server.run_sql("\n".join(statements + ["FLUSH;"]))
        time.sleep(3)
        used, begin = server.cpu(), time.perf_counter()
        time.sleep(options.seconds)
        share = (server.cpu() - used) / (time.perf_counter() - begin)
        rows.append({"what": "idle", "share": share})
        return ["idle, ten followed files and ten views, of a core", f"{share:.2%}"]
    finally:
        server.stop()


def main():
    arguments = parser(__doc__)
    arguments.add_argument("--events", type=int, default=2_000_000)
    arguments.add_argument("--queries", default="q4,q9,q18")
    arguments.add_argument("--runs", type=int, default=3, help="pairs of runs of each query; figures are medians")
    arguments.add_argument("--parts", default="cost,recovery,start,idle")
    arguments.add_argument("--gigabytes", default="1", help="sizes of state to recover, such as 1,5")
    arguments.add_argument("--events-per-gigabyte", type=int, default=5_600_000)
    arguments.add_argument("--seconds", type=float, default=10, help="how long idleness is watched")
    arguments.add_argument("--workers", type=int)
    options = arguments.parse_args()
    rows, busy, wanted, texts = [], Busy(), options.parts.split(","), []
    if "cost" in wanted:
        texts.append(cost(options, rows, busy))
    if "recovery" in wanted:
        texts.append(recovery(options, rows, busy))
    small = [part(options, rows, busy) for name, part in (("start", start), ("idle", idle)) if name in wanted]
    if small:
        texts.append(table(["what", "figure"], small))
    finish(options, "durability", "\n".join(texts), rows, busy)


if __name__ == "__main__":
    main()
