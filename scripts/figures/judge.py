"""DuckDB's answer to one query: how much it costs to compute it once, and whether floe's answer is the same.

    judge.py --data DIR --query q0 [--threads 2] [--floe answer.csv]

Prints one JSON line. Answers are compared whole, as multisets: every column as text, numbers and times in one spelling.
"""

import argparse
import json
import os
import resource
import time

import duckdb

from queries import COLUMNS, TEXTS, TIES


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def open_views(connection, data):
    """The JSON lines that floe reads, under the names that the queries use."""
    for table, columns in COLUMNS.items():
        read = ", ".join(f"'{name}': '{'BIGINT' if kind == 'TIMESTAMP' else kind}'" for name, kind in columns.items())
        shown = ", ".join(
            f'epoch_ms("{name}") AS {"ts" if name == "dateTime" else name}' if kind == "TIMESTAMP" else f'"{name}"'
            for name, kind in columns.items()
        )
        files = f"read_json('{data}/{table}/part-*.jsonl', format = 'newline_delimited', columns = {{{read}}})"
        connection.execute(f"CREATE VIEW {table} AS SELECT {shown} FROM {files}")


def spelled(column, kind):
    """A column as text that is the same for both sides. Doubles are averages: floe's have more digits."""
    if kind in ("DOUBLE", "FLOAT") or kind.startswith("DECIMAL"):
        return f"round(CAST({column} AS DOUBLE), 6)::VARCHAR"
    return f"CAST({column} AS {kind})::VARCHAR"


def compare(connection, query, answer, rows):
    """What is wrong with floe's answer; nothing when it is DuckDB's."""
    kinds = [row[1] for row in connection.execute("DESCRIBE answer").fetchall()]
    names = [f"c{at}" for at in range(len(kinds))]
    declared = ", ".join(f"'{name}': 'VARCHAR'" for name in names)
    # NULL and the empty text look alike in this file; the queries give neither.
    source = f"read_csv('{answer}', header = true, columns = {{{declared}}}, nullstr = '\\N', strict_mode = true, parallel = false)"
    def unified(table):
        return f"SELECT {', '.join(f'{spelled(name, kind)} AS {name}' for name, kind in zip(names, kinds))} FROM {table}"
    def numbered(text):
        return f"({text}) AS t({', '.join(names)})"
    connection.execute(f"CREATE TEMP TABLE floe AS {unified(source)}")
    connection.execute(f"CREATE TEMP TABLE duck AS {unified(numbered(TIES[query][0] if query in TIES else 'SELECT * FROM answer'))}")
    count = lambda text: connection.execute(f"SELECT count(*) FROM ({text})").fetchone()[0]
    there, surplus = count("FROM floe"), count("FROM floe EXCEPT ALL FROM duck")
    if query in TIES:
        keys = ", ".join(names[at] for at in TIES[query][1])
        missing = rows - count(f"SELECT DISTINCT {keys} FROM floe")
    else:
        missing = count("FROM duck EXCEPT ALL FROM floe")
    if there == rows and surplus == 0 and missing == 0:
        return None
    sample = connection.execute("SELECT * FROM (FROM floe EXCEPT ALL FROM duck) LIMIT 2").fetchall()
    return f"{there} rows for {rows}, {surplus} that DuckDB has not, {missing} missing; {sample}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--query", required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--floe")
    options = parser.parse_args()
    connection = duckdb.connect()
    connection.execute(f"SET threads = {options.threads}")
    connection.execute("SET preserve_insertion_order = false")
    open_views(connection, options.data)
    begin, used = time.perf_counter(), cpu()
    names = ", ".join(f"c{at}" for at in range(len(connection.execute(f"DESCRIBE {TEXTS[options.query]}").fetchall())))
    connection.execute(f"CREATE TEMP TABLE answer AS SELECT * FROM ({TEXTS[options.query]}) AS t({names})")
    result = {"cpu_s": cpu() - used, "wall_s": time.perf_counter() - begin}
    result["rows"] = connection.execute("SELECT count(*) FROM answer").fetchone()[0]
    with open(f"/proc/{os.getpid()}/status") as status:
        result["rss_mib"] = next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))
    if options.floe:
        result["difference"] = compare(connection, options.query, options.floe, result["rows"])
    print(json.dumps(result))


main()
