"""Runs Nexmark queries on floe and prints what they cost.

Each query runs twice, each time on a fresh server: into a sink that discards (what the computation costs), and as a
materialized view (what keeping the answer costs on top), whose whole answer is then compared with DuckDB's over the same
files. The clock and the CPU count go from the first CREATE to the answer of FLUSH: decoding, computing and the
server's own durability are all in them. Other engines that are installed (scripts/bench-peers) answer it too, over the mixed
files; what stands beside their figures is floe's sink over the same files.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import peers
import report
from common import ROOT, nexmark_files, parser as common_parser, put, say, wait_for_quiet
from inputs import of_files
from queries import ORDER
from server import Refused, Server, first_line, machine_busy


def measure(options, data, text, mode, answer=None):
    """One run: a fresh server, one object, FLUSH. `answer` is where a view's rows go."""
    server = Server(options.floe, options.folder, options.workers)
    try:
        create = {
            "sink": f"CREATE SINK q AS {text} WITH (connector = 'blackhole');",
            "view": f"CREATE MATERIALIZED VIEW q AS {text};",
        }[mode]
        script = "\n".join(of_files(data) + [create, "FLUSH;"])
        others, used, begin = machine_busy(), server.cpu(), time.perf_counter()
        client = server.start_sql(script)
        told = begin
        while client.poll() is None:
            time.sleep(0.005)
            now = time.perf_counter()
            if now - told > 10:
                told = now
                say(f"    {now - begin:.0f} s, {server.cpu() - used:.0f} CPU s, {server.peak_mib():.0f} MiB")
            if now - begin > options.timeout or server.process.poll() is not None:
                client.kill()
                why = "the server ended" if server.process.poll() is not None else f"not done after {options.timeout} s"
                return {"refused": f"{why}\n{server.said()}"}
        wall, spent = time.perf_counter() - begin, server.cpu() - used
        result = {"wall_s": wall, "cpu_s": spent, "rss_mib": server.peak_mib(), "others": max(0.0, machine_busy() - others - spent) / wall}
        if client.returncode != 0:
            return {"refused": first_line(client.stderr.read())}
        records, dead = server.rows("SELECT sum(records), sum(dead_letters) FROM floe_sources")[0].split(",")
        if (int(records), int(dead)) != (options.events, 0):
            raise SystemExit(f"floe read {records} records of {options.events}, {dead} of them not decoded")
        if mode == "sink" and (errors := server.rows("SELECT error FROM floe_sinks WHERE error IS NOT NULL")):
            raise SystemExit(f"the sink does not get on: {errors}")
        if answer:
            server.save("SELECT * FROM q", answer)
        return result
    except Refused as refused:
        return {"refused": str(refused)}
    finally:
        server.stop()


def one_run(options, kind, query, folders, programs, answer, first):
    """What a query costs: on a peer, or on floe as a sink or a view, or as a sink over the mixed files that the peers read."""
    if kind in programs:
        say(f"{query} on {peers.name(kind)}")
        return peers.measure(kind, programs[kind], options, folders["mixed"], query, count=first)
    text = (options.texts / f"{query}.sql").read_text().strip().rstrip(";")
    if kind == "mixed":
        say(f"{query} as a sink over mixed files")
        return measure(options, folders["mixed"], text, "sink")
    say(f"{query} as a {kind}")
    return measure(options, folders[options.input], text, kind, answer if kind == "view" else None)


def judge(options, data, query, answer):
    command = [sys.executable, "-B", str(Path(__file__).with_name("judge.py")), "--data", str(data), "--query", query, "--threads", "2"]
    if answer and os.path.exists(answer):
        command += ["--floe", answer]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode != 0:
        return {"refused": (run.stderr.strip().splitlines() or ["no reason given"])[-1]}
    return json.loads(run.stdout)


def middle(runs):
    """The medians of several runs of one thing; the first refusal if there is one. The first run may say more than the others."""
    refused = next((run for run in runs if "refused" in run), None)
    return refused or {name: statistics.median(run[name] for run in runs if name in run) for name in runs[0]}


def main():
    parser = common_parser(__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--parts", type=int, default=2, help="input files of each kind")
    parser.add_argument("--input", choices=["split", "mixed"], default="split", help="three files a part, or one of all kinds")
    parser.add_argument("--queries", default=",".join(ORDER))
    parser.add_argument("--runs", type=int, default=1, help="runs of each query; figures are medians")
    parser.add_argument("--workers", type=int, help="floe serve --workers; its default when absent")
    parser.add_argument("--texts", default=ROOT / "examples" / "nexmark", type=Path, help="the folder with floe's q*.sql")
    parser.add_argument("--peers", default=",".join(peers.PEERS), help="other engines, where they are installed; none leaves them out")
    parser.add_argument("--timeout", type=float, default=900, help="seconds after which a run is given up")
    options = parser.parse_args()
    queries = options.queries.split(",")
    if unknown := [query for query in queries if query not in ORDER]:
        parser.error(f"no such query: {', '.join(unknown)}")
    wanted = options.peers.split(",") if options.peers != "none" else []
    if unknown := [peer for peer in wanted if peer not in peers.PEERS]:
        parser.error(f"no such peer: {', '.join(unknown)}")
    programs = peers.installed(wanted)
    # The judge reads split files, the peers mixed ones.
    folders = {"split", options.input} | ({"mixed"} if programs else set())
    folders = {what: nexmark_files(options, what, options.events, options.parts) for what in folders}
    kinds = ["sink", "view", *(["mixed"] if programs and options.input == "split" else []), *programs]
    results = Path(options.cache) / f"results-{time.strftime('%Y%m%d-%H%M%S')}.jsonl"
    answer = f"{options.cache}/answer-{os.getpid()}.csv"
    rows = []
    for query in queries:
        runs = {kind: [] for kind in kinds}
        for _ in range(options.runs):
            for kind, found in runs.items():
                wait_for_quiet(options.quiet)
                found.append(one_run(options, kind, query, folders, programs, answer, first=not found))
                say(f"    {report.told(found[-1], options.events)}")
        duck = judge(options, folders["split"], query, answer)
        Path(answer).unlink(missing_ok=True)
        say(f"    DuckDB: {report.told(duck, options.events)}, the answers {report.verdict(duck)}")
        row = {"query": query, "events": options.events, "workers": options.workers, "runs": options.runs}
        row |= {kind: middle(found) for kind, found in runs.items()} | {"duckdb": duck}
        rows.append(row)
        with results.open("a") as out:
            out.write(json.dumps(row) + "\n")
    tables = {"nexmark": report.table(rows)} | ({"nexmark-peers": report.peer_table(rows, programs)} if programs else {})
    print("\n".join(tables.values()))
    say(f"as JSON lines: {results}")
    if options.docs:
        if options.input == "mixed":
            say("the page's first table is of split files and stays")
            del tables["nexmark"]
        for section, table in tables.items():
            put(section, report.head(options, rows, programs if section == "nexmark-peers" else {}) + table)
    if any(report.verdict(row["duckdb"]) not in ("equal", "not compared") for row in rows):
        raise SystemExit("an answer is wrong")


main()
