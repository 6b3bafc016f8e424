"""What every measurement shares: its options, waiting for a quiet machine, medians, tables, and its section of the page."""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

from server import machine_busy

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"


def say(text):
    print(text, file=sys.stderr, flush=True)


def parser(text):
    """The options that all have."""
    made = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--floe", required=True, help="the binary")
    made.add_argument("--cache", required=True, help="where input files and results are kept")
    made.add_argument("--folder", default="/tmp", help="where servers keep their state while they run")
    made.add_argument("--quiet", type=float, default=0, help="seconds to wait at most, before each run, for others to leave the CPU alone")
    made.add_argument("--docs", action="store_true", help="puts the table into docs/benchmarks.md")
    return made


def wait_for_quiet(seconds):
    """Until others take less than a tenth of a core for a second, or time is up."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        before = machine_busy()
        time.sleep(1)
        if machine_busy() - before < 0.1:
            return


def generated(options, name, arguments):
    """A folder of input that `floe generate` writes: made once, then kept. Servers resolve paths by themselves."""
    folder = Path(options.cache).resolve() / name
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = folder.with_name(folder.name + ".part")
        say(f"writing {folder}")
        command = [options.floe, "generate", *map(str, arguments), "--dir", str(part)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        part.rename(folder)
    return folder


def nexmark_files(options, what, events, parts=2):
    return generated(options, f"{what}-{events}-{parts}", ["nexmark", "--events", events, "--parts", parts, "--what", what])


def nexmark_text(query):
    return (ROOT / "examples" / "nexmark" / f"{query}.sql").read_text().strip().rstrip(";")


def file_options(path, more=""):
    return f"connector = 'file', path = '{path}', follow = 'false'{more}"


def kafka_options(topic):
    return f"connector = 'kafka', topic = '{topic}', properties.bootstrap.server = '{os.environ['FLOE_TEST_KAFKA']}'"


class Busy:
    """What others took of the machine while something was measured: the largest share of a core."""

    def __init__(self):
        self.most = 0.0

    def note(self, share):
        self.most = max(self.most, share)

    def told(self):
        return f" Other processes took up to {self.most:.0%} of a core meanwhile: read the CPU times, not the clock." if self.most > 0.1 else ""


def middle(runs):
    """The medians of several runs of one thing."""
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def percentile(values, share):
    """The smallest value that is not less than that share of them."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * share // 100) - 1))] if ordered else float("nan")


def table(head, rows):
    """The first column is text, the others are figures."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1)] + [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def finish(options, name, text, rows, busy):
    """Prints the table, keeps the measurements, and puts the section on the page if it is asked for."""
    print(text)
    results = Path(options.cache) / f"results-{name}-{time.strftime('%Y%m%d-%H%M%S')}.jsonl"
    results.parent.mkdir(parents=True, exist_ok=True)
    results.write_text("".join(json.dumps(row) + "\n" for row in rows))
    say(f"as JSON lines: {results}")
    if options.docs:
        put(name, f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores.{busy.told()}\n\n{text}")


def put(name, text):
    """Replaces what stands between the section's markers."""
    page = PAGE.read_text()
    found = re.search(rf"(<!-- {name}: .*? -->\n).*?(<!-- end of {name} -->)", page, re.DOTALL)
    if not found:
        raise SystemExit(f"{PAGE} has no section {name}")
    PAGE.write_text(f"{page[:found.end(1)]}\n{text}\n{page[found.start(2):]}")
