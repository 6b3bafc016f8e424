"""What views cost that have much in common: four aggregates of one join, each alone, and all four in one server.

Alone, each is a server of its own. Together, the join, its sides and what leads to them are kept and stepped once, and each of the
four adds its groups. The views are there before the events: from the moment that the files appear to the answer of FLUSH. The answers of
both are compared.
"""

import time
from pathlib import Path

from common import Busy, finish, nexmark_files, parser, say, table, wait_for_quiet
from inputs import mixed
from server import Server, machine_busy

JOIN = "FROM auction a JOIN bid b ON a.id = b.auction AND b.ts BETWEEN a.ts AND a.expires"
VIEWS = {
    "by_category": f"SELECT a.category, count(*) AS bids, max(b.price) AS high, count(DISTINCT a.seller) AS sellers {JOIN} GROUP BY a.category",
    "by_seller": f"SELECT a.seller, count(*) AS bids, max(b.price) AS high, min(a.category) AS category {JOIN} GROUP BY a.seller",
    "by_both": f"SELECT a.seller, a.category, sum(b.price) AS total {JOIN} GROUP BY a.seller, a.category",
    "by_price": f"SELECT b.price / 100000 AS level, count(*) AS bids, max(a.seller) AS seller, max(a.category) AS category {JOIN} GROUP BY b.price / 100000",
}


def run(options, folder, names):
    server = Server(options.floe, options.folder, options.workers, flags=["--memory", "16GiB"])
    try:
        create = [f"CREATE MATERIALIZED VIEW {name} AS {VIEWS[name]};" for name in names]
        events = Path(server.folder) / "events"
        events.mkdir()
        server.run_sql("\n".join([*mixed(f"connector = 'file', path = '{events}/part-*.jsonl'"), *create, "FLUSH;"]))
        others, used, begin = machine_busy(), server.cpu(), time.perf_counter()
        for part in sorted((folder / "mixed").iterdir()):
            (events / part.name).symlink_to(part)
        server.run_sql("FLUSH;")
        wall, spent = time.perf_counter() - begin, server.cpu() - used
        found = {"wall_s": wall, "cpu_s": spent, "rss_mib": server.peak_mib(), "others": max(0.0, machine_busy() - others - spent) / wall}
        metrics = server.metrics()
        found["state_mib"] = sum(value for key, value in metrics.items() if key.startswith("floe_operator_state_bytes")) / 2**20
        answers = {}
        for name in names:
            path = f"{server.folder}/answer"
            server.save(f"SELECT * FROM {name}", path)
            with open(path) as lines:
                answers[name] = sorted(lines.readlines()[1:])
        return found, answers
    finally:
        server.stop()


def main():
    arguments = parser(__doc__)
    arguments.add_argument("--events", type=int, default=5_000_000)
    arguments.add_argument("--workers", type=int)
    options = arguments.parse_args()
    folder, busy = nexmark_files(options, "mixed", options.events), Busy()
    rows, lines, alone, answers = [], [], [], {}
    for name in VIEWS:
        wait_for_quiet(options.quiet)
        found, answer = run(options, folder, [name])
        alone.append(found)
        answers |= answer
    wait_for_quiet(options.quiet)
    together, answer = run(options, folder, list(VIEWS))
    for name, lines_of_view in answer.items():
        if not lines_of_view or lines_of_view != answers[name]:
            raise SystemExit(f"{name}: {len(lines_of_view)} rows together are not the {len(answers[name])} rows alone")
    total = {key: sum(found[key] for found in alone) for key in together}
    for found in [*alone, together]:
        busy.note(found["others"])
    million = options.events / 1e6
    for name, found in [*zip(VIEWS, alone), ("the four, each alone", total), ("the four together", together)]:
        rows.append({"views": name, "events": options.events} | found)
        ratios = [f"{found['cpu_s'] / total['cpu_s']:.2f}", f"{found['state_mib'] / total['state_mib']:.2f}"]
        lines.append([name, f"{found['cpu_s'] / million:.2f}", f"{found['state_mib']:.0f}", f"{found['rss_mib']:.0f}", *ratios])
        say(" | ".join(lines[-1]))
    head = ["view", "CPU s/M", "state MiB", "peak MiB", "CPU of the four alone", "state of the four alone"]
    finish(options, "together", f"{options.events:,} events, one run each.\n\n" + table(head, lines), rows, busy)


if __name__ == "__main__":
    main()
