"""One Nexmark query on Flink SQL: how much it costs over the files that floe reads.

    run.py --data DIR --query q5 --texts FOLDER [--slots 2] [--count]

DIR is a folder of `floe generate nexmark --what mixed`, FOLDER has floe's texts of the queries. Flink runs inside one JVM, which
pyflink starts. The clock and the CPU count go over the JVM from the submission of the job to its end. Prints one JSON line.
"""

import argparse
import json
import re
from pathlib import Path

import jvm

SOURCE = """CREATE TABLE events (
  event_type INT,
  person ROW<id BIGINT, name STRING, emailAddress STRING, creditCard STRING, city STRING, state STRING, `dateTime` BIGINT, extra STRING>,
  auction ROW<id BIGINT, itemName STRING, description STRING, initialBid BIGINT, reserve BIGINT, `dateTime` BIGINT, expires BIGINT,
    seller BIGINT, category BIGINT, extra STRING>,
  bid ROW<auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, `dateTime` BIGINT, extra STRING>,
  ts AS TO_TIMESTAMP_LTZ(
    CASE event_type WHEN 0 THEN person.`dateTime` WHEN 1 THEN auction.`dateTime` ELSE bid.`dateTime` END, 3),
  WATERMARK FOR ts AS ts - INTERVAL '4' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'file://{folder}', 'format' = 'json')"""

VIEWS = [
    """CREATE VIEW person AS SELECT person.id, person.name, person.emailAddress, person.creditCard, person.city, person.state, ts,
      person.extra FROM events WHERE event_type = 0""",
    """CREATE VIEW auction AS SELECT auction.id, auction.itemName, auction.description, auction.initialBid, auction.reserve, ts,
      TO_TIMESTAMP_LTZ(auction.expires, 3) AS expires, auction.seller, auction.category, auction.extra
      FROM events WHERE event_type = 1""",
    """CREATE VIEW bid AS SELECT bid.auction, bid.bidder, bid.price, bid.channel, bid.url, ts, bid.extra
      FROM events WHERE event_type = 2""",
]

# The same texts in Flink's spelling: intervals, window functions, the format of times, and parts counted from 0.
SPELLINGS = [
    (r"INTERVAL '(\d+) seconds'", r"INTERVAL '\1' SECOND"),
    (r"(HOP|TUMBLE)\((\w+), ts, ([^)]*)\)", r"TABLE(\1(TABLE \2, DESCRIPTOR(ts), \3))"),
    (r"to_char\(ts, 'YYYY-MM-DD'\)", r"DATE_FORMAT(ts, 'yyyy-MM-dd')"),
    (r"to_char\(ts, 'HH24:MI'\)", r"DATE_FORMAT(ts, 'HH:mm')"),
    (r"split_part\((\w+), '(.)', (\d+)\)", lambda found: f"SPLIT_INDEX({found[1]}, '{found[2]}', {int(found[3]) - 1})"),
]


def spelled(text):
    for pattern, replacement in SPELLINGS:
        text = re.sub(pattern, replacement, text)
    return text


def tables(options):
    """An environment in which the three kinds of events are views."""
    made = jvm.environment(options.slots)
    made.execute_sql(SOURCE.format(folder=Path(options.data).resolve() / "mixed"))
    for view in VIEWS:
        made.execute_sql(view)
    return made


def count(made, text):
    """How many rows the answer has, from a second run: what a sink that discards has taken are changes, not rows."""
    rows = 0
    with made.sql_query(f"SELECT count(*) FROM ({text})").execute().collect() as changes:
        for change in changes:
            rows = change[0]
    return rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--query", required=True)
    parser.add_argument("--texts", required=True, type=Path)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--count", action="store_true", help="run it once more, to count the rows of the answer")
    options = parser.parse_args()
    text = spelled((options.texts / f"{options.query}.sql").read_text().strip().rstrip(";"))
    made = tables(options)
    result = jvm.discard(made.sql_query(text))
    if options.count:
        result["rows"] = count(made, text)
    print(json.dumps(result))


main()
