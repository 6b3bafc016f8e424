"""From measurements to lines, a table, and the page that shows it."""

import os
import time

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
        result = row[mode]
        if "refused" in result:
            found += [f"refused: {result['refused'].splitlines()[0]}", "", ""]
        else:
            found += [f"{events / result['wall_s']:,.0f}", f"{per_million[mode]:.2f}", f"{result['rss_mib']:.0f}"]
    found += [ratio("view", "sink"), f"{per_million['duckdb']:.2f}" if "duckdb" in per_million else "", ratio("sink", "duckdb")]
    return found + [f"{row['duckdb'].get('rows', 0):,}", verdict(row["duckdb"])]


def table(rows):
    lines = [HEAD, ["---"] + ["---:"] * (len(HEAD) - 2) + ["---"]] + [[cell.replace("|", "\\|") for cell in cells(row)] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def head(events, runs, workers, rows):
    others = [row[mode]["others"] for row in rows for mode in ("sink", "view") if "others" in row[mode]]
    busy = f" Other processes took up to {max(others):.0%} of a core meanwhile: read the CPU times, not the clock." if others and max(others) > 0.1 else ""
    return (
        f"{time.strftime('%Y-%m-%d')}: {events:,} events, {os.cpu_count()} cores, workers: {workers or 'default'}, "
        f"medians of {runs} run{'s' * (runs != 1)}.{busy}\n\n"
    )
