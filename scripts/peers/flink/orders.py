"""A Debezium change log on Flink SQL, counted and summed by customer: how much it costs over the files that floe reads.

    orders.py --data DIR [--slots 2] [--runs 3]

DIR is a folder of `floe generate orders --full`: without the rows as they were Flink cannot read updates. All runs are in one JVM,
so that the later ones are warm. Prints a JSON line for each.
"""

import argparse
import json
from pathlib import Path

import jvm

SOURCE = """CREATE TABLE orders (id BIGINT, customer_id BIGINT, amount BIGINT, created_at BIGINT, status STRING, note STRING)
  WITH ('connector' = 'filesystem', 'path' = 'file://{folder}', 'format' = 'debezium-json', 'debezium-json.schema-include' = 'true')"""
QUERY = "SELECT customer_id, count(*) AS n, sum(amount) AS total FROM orders GROUP BY customer_id"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    made = jvm.environment(options.slots)
    made.execute_sql(SOURCE.format(folder=Path(options.data).resolve()))
    for _ in range(options.runs):
        print(json.dumps(jvm.discard(made.sql_query(QUERY))), flush=True)


main()
