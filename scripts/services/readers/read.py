#!/usr/bin/env python3
"""Prints the rows of an Iceberg table as a reader that others wrote sees them: sorted lines, columns by `|`, NULL as NULL.

    read.py --reader pyiceberg|duckdb --columns a,b --sql catalog.db ns.table     a SQL catalog in SQLite, local files
    read.py --reader pyiceberg|duckdb --columns a,b --rest ns.table               the REST catalog and S3 of the test services
    read.py --serve     such arguments on each line of standard input, split at tabs; the lines, or an error, as JSON for each

DuckDB reads through the REST catalog by itself; beside a SQL catalog it is given the current metadata file.
"""
import argparse
import datetime
import decimal
import functools
import importlib.util
import json
import os
import sqlite3
import sys

env = os.environ.get
S3, KEY, SECRET = env("FLOE_TEST_S3", ""), env("FLOE_TEST_S3_KEY", ""), env("FLOE_TEST_S3_SECRET", "")
REGION, CATALOG = env("FLOE_TEST_S3_REGION", "us-east-1"), env("FLOE_TEST_CATALOG", "")


def text(value):
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, datetime.datetime):
        shown = value.replace(tzinfo=None).isoformat(" ")
        return shown.rstrip("0") if "." in shown else shown
    return str(value)


def metadata_file(database, table):
    namespace, name = table.rsplit(".", 1)
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as db:
        found = db.execute("SELECT metadata_location FROM iceberg_tables WHERE table_namespace = ? AND table_name = ?",
                           (namespace, name)).fetchall()
    if len(found) != 1:
        raise SystemExit(f"{len(found)} tables {table} in {database}")
    return found[0][0]


def pyiceberg(arguments, columns):
    properties = {"s3.endpoint": S3, "s3.access-key-id": KEY, "s3.secret-access-key": SECRET, "s3.region": REGION}
    if arguments.sql:
        from pyiceberg.table import StaticTable
        table = StaticTable.from_metadata(metadata_file(arguments.sql, arguments.table))
    else:
        from pyiceberg.catalog import load_catalog
        table = load_catalog("rest", type="rest", uri=CATALOG, **properties).load_table(arguments.table)
    found = table.scan(selected_fields=tuple(columns)).to_arrow()
    return zip(*(found[c].to_pylist() for c in columns))


@functools.cache
def duckdb_session():
    """One for all tables: to verify and load the extensions takes longer than to read a small one. Files come from the
    disk each time: a table made anew has the old one's paths."""
    import duckdb
    session = duckdb.connect(config={"autoinstall_known_extensions": "false", "enable_external_file_cache": "false"})
    for extension in ("avro", "httpfs", "iceberg"):
        folder = importlib.util.find_spec(f"duckdb_extension_{extension}").submodule_search_locations[0]
        session.execute(f"LOAD '{folder}/extensions/v{duckdb.__version__}/{extension}.duckdb_extension'")
    session.execute("SET TimeZone = 'UTC'")
    return session


def duckdb(arguments, columns):
    session = duckdb_session()
    if arguments.sql:
        source = "iceberg_scan('" + metadata_file(arguments.sql, arguments.table).removeprefix("file://") + "')"
    else:
        session.execute(f"CREATE OR REPLACE SECRET (TYPE s3, KEY_ID '{KEY}', SECRET '{SECRET}', ENDPOINT '{S3.split('://')[1]}', "
                        f"USE_SSL false, URL_STYLE 'path', REGION '{REGION}')")
        session.execute("DETACH DATABASE IF EXISTS lake")
        session.execute(f"ATTACH '' AS lake (TYPE iceberg, ENDPOINT '{CATALOG}', AUTHORIZATION_TYPE 'none')")
        namespace, name = arguments.table.rsplit(".", 1)
        source = f'lake."{namespace}"."{name}"'
    return session.execute("SELECT {} FROM {}".format(", ".join(f'"{c}"' for c in columns), source)).fetchall()


def lines(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reader", choices=["pyiceberg", "duckdb"], required=True)
    parser.add_argument("--columns", required=True)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--sql", metavar="FILE")
    where.add_argument("--rest", action="store_true")
    parser.add_argument("table")
    chosen = parser.parse_args(arguments)
    names = chosen.columns.split(",")
    rows = {"pyiceberg": pyiceberg, "duckdb": duckdb}[chosen.reader](chosen, names)
    return sorted("|".join(map(text, row)) for row in rows)


def serve():
    for line in sys.stdin:
        try:
            answer = {"lines": lines(line.rstrip("\n").split("\t"))}
        except BaseException as error:  # whoever asks judges it
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        serve()
    else:
        for line in lines(sys.argv[1:]):
            print(line)
