"""From measurements to lines, a table, and the page that shows it."""

import os
import time

import peers

HEAD = [
    "query", "sink: events/s", "CPU s/M", "peak MiB", "view: events/s", "CPU s/M", "peak MiB", "view/sink CPU", "DuckDB CPU s/M",
    "floe/DuckDB CPU", "rows", "answer",
]


def told(result, events):
    """One run in a line."""
    if "refused" in result:
        return f"refused: {result['refused']}"
    line = f"{result['wall_s']:.1f} s, {events / result['wall_s']:,.0f} events/s, {result['cpu_s'] / events * 1e6:.2f} CPU s/M"
    line += f", {result['rss_mib']:.0f} MiB"
    return line + (f", others took {result['others']:.0%} of a core" if result.get("others", 0) > 0.1 else "")


def verdict(duck):
    if "refused" in duck:
        return f"DuckDB refused: {duck['refused']}"
    if "difference" not in duck:
        return "not compared"
    return "equal" if duck["difference"] is None else f"DIFFERENT: {duck['difference']}"


def cells(row):
    events, found = row["events"], [row["query"]]
    per_million = {name: row[name]["cpu_s"] / events * 1e6 for name in ("sink", "view", "duckdb") if "cpu_s" in row[name]}
    ratio = lambda one, other: f"{per_million[one] / per_million[other]:.2f}" if one in per_million and other in per_million else ""
    for mode in ("sink", "view"):
        found += figures(row[mode], events)
    found += [ratio("view", "sink"), f"{per_million['duckdb']:.2f}" if "duckdb" in per_million else "", ratio("sink", "duckdb")]
    return found + [f"{row['duckdb'].get('rows', 0):,}", verdict(row["duckdb"])]


def lines(head, found, words):
    """A table; the columns in `words` are text, the others figures."""
    ruler = ["---" if name in words else "---:" for name in head]
    written = [head, ruler] + [[cell.replace("|", "\\|") for cell in row] for row in found]
    return "".join(f"| {' | '.join(row)} |\n" for row in written)


def table(rows):
    return lines(HEAD, [cells(row) for row in rows], ["query", "answer"])


def figures(result, events):
    """Events a second, CPU seconds a million events, and the peak."""
    if "refused" in result:
        return [f"refused: {result['refused'].splitlines()[0]}", "", ""]
    return [f"{events / result['wall_s']:,.0f}", f"{result['cpu_s'] / events * 1e6:.2f}", f"{result['rss_mib']:.0f}"]


def counted(result, duck):
    """What is known of a peer's answer: how many rows it has."""
    if "rows" not in result or "rows" not in duck:
        return "not counted"
    return "equal" if result["rows"] == duck["rows"] else f"DIFFERENT: {result['rows']:,.0f} for {duck['rows']:,}"


def peer_table(rows, programs):
    """floe's sink over the mixed files beside each peer over the same ones."""
    head, words = ["query", "floe: events/s", "CPU s/M", "peak MiB"], ["query"]
    for peer in programs:
        words.append(f"{peers.name(peer)}: rows")
        head += [f"{peers.name(peer)}: events/s", "CPU s/M", "peak MiB", f"floe/{peers.name(peer)} CPU", words[-1]]
    found = []
    for row in rows:
        floe, events = row.get("mixed", row["sink"]), row["events"]
        cells = [row["query"], *figures(floe, events)]
        for peer in programs:
            cells += figures(row[peer], events)
            cells.append(f"{floe['cpu_s'] / row[peer]['cpu_s']:.2f}" if "cpu_s" in floe and "cpu_s" in row[peer] else "")
            cells.append(counted(row[peer], row["duckdb"]))
        found.append(cells)
    return lines(head, found, words)


def head(options, rows, programs):
    others = [run["others"] for row in rows for run in row.values() if isinstance(run, dict) and "others" in run]
    busy = f" Other processes took up to {max(others):.0%} of a core meanwhile: read the CPU times, not the clock." if others and max(others) > 0.1 else ""
    beside = f" beside {' and '.join(map(peers.version, programs))}" * bool(programs)
    return (
        f"{time.strftime('%Y-%m-%d')}{beside}: {options.events:,} events, {os.cpu_count()} cores, workers: {options.workers or 'default'}, "
        f"medians of {options.runs} run{'s' * (options.runs != 1)}.{busy}\n\n"
    )
