"""Nexmark from a Kafka topic, beside the same events from files, and beside what librdkafka alone makes of the topic.

All kinds of events are in one stream. Each run is a fresh server and a sink that keeps nothing; the clock goes from the
first CREATE to the answer of FLUSH. The broker runs on the same machine: its share of the cores is what the column `others`
shows. "alone" is the consumer that librdkafka ships to measure itself with: it takes the messages in batches and does nothing
with them.
"""

import os
import time

import consumer
import topics
from common import finish, Busy, middle, nexmark_files, nexmark_text, parser, say, table, wait_for_quiet
from inputs import of_files, of_topic
from server import Server, machine_busy
from stages import split

TOPIC = f"floe-bench-nexmark-{os.getpid()}"


def measure(options, sources, query):
    server = Server(options.floe, options.folder, options.workers)
    try:
        create = f"CREATE SINK q AS {nexmark_text(query)} WITH (connector = 'blackhole');"
        others, used, begin = machine_busy(), server.cpu(), time.perf_counter()
        server.run_sql("\n".join(sources + [create, "FLUSH;"]))
        wall, spent = time.perf_counter() - begin, server.cpu() - used
        read = server.rows("SELECT records, dead_letters FROM floe_sources")
        if read != [f"{options.events},0"]:
            raise SystemExit(f"floe read {read} of {options.events} events")
        others = max(0.0, machine_busy() - others - spent) / wall
        return {"wall_s": wall, "cpu_s": spent, "others": others, "rss_mib": server.peak_mib()} | split(server)
    finally:
        server.stop()


def main():
    arguments = parser(__doc__)
    arguments.add_argument("--events", type=int, default=2_000_000)
    arguments.add_argument("--parts", type=int, default=2, help="files, and partitions of the topic")
    arguments.add_argument("--queries", default="q0,q4,q9")
    arguments.add_argument("--runs", type=int, default=3, help="runs of each; figures are medians")
    arguments.add_argument("--workers", type=int)
    options = arguments.parse_args()
    folder = nexmark_files(options, "mixed", options.events, options.parts)
    files = sorted((folder / "mixed").glob("part-*.jsonl"))
    rows, lines, busy = [], [], Busy()
    million = options.events / 1e6
    try:
        topics.fill(TOPIC, files)
        alone = middle([consumer.read_all(TOPIC, len(files), options.events) for _ in range(options.runs)])
        say(f"librdkafka alone: {options.events / alone['wall_s']:,.0f} events/s, {alone['cpu_s'] / million:.2f} CPU s/M")
        lines.append(["librdkafka alone", f"{options.events / alone['wall_s']:,.0f}", f"{alone['cpu_s'] / million:.2f}"] + [""] * 5)
        for query in options.queries.split(","):
            runs = {"files": [], "topic": []}
            for _ in range(options.runs):
                for input, sources in (("files", of_files(folder)), ("topic", of_topic(TOPIC))):
                    wait_for_quiet(options.quiet)
                    result = measure(options, sources, query)
                    if input == "files":
                        busy.note(result["others"])
                    say(f"{query} from {input}: {result['wall_s']:.2f} s, {result['cpu_s'] / million:.2f} CPU s/M, others {result['others']:.0%}")
                    runs[input].append(result)
            found = {input: middle(results) for input, results in runs.items()}
            rows.append({"query": query, "events": options.events, "alone": alone, "runs": runs})
            bound = max(found["files"]["wall_s"], alone["wall_s"])
            for input, result in found.items():
                share = f"{bound / result['wall_s']:.0%}" if input == "topic" else ""
                lines.append([
                    f"{query} from {'a topic' if input == 'topic' else 'files'}", f"{options.events / result['wall_s']:,.0f}",
                    f"{result['cpu_s'] / million:.2f}", f"{result['decode'] / million:.2f}", f"{result['client'] / million:.2f}",
                    f"{result['epochs'] / million:.2f}", f"{result['others']:.0%}", share,
                ])
    finally:
        topics.remove(TOPIC)
    text = f"{options.events:,} events in {len(files)} partitions, medians of {options.runs} runs.\n\n"
    head = ["what", "events/s", "CPU s/M", "of it decoding", "librdkafka", "epochs", "others", "of the lower bound"]
    finish(options, "kafka", text + table(head, lines), rows, busy)


if __name__ == "__main__":
    main()
