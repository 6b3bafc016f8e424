"""Other streaming engines beside floe, where they are installed: each answers a query over the mixed files in a process of its own.

`scripts/bench-peers` installs them and knows where they are; their code is in scripts/peers. A run prints one JSON line: how long it
took, what it cost, and how many rows its answer has.
"""

import json
import re
import subprocess

from common import ROOT, say

INSTALLER = ROOT / "scripts" / "bench-peers"
CODE = ROOT / "scripts" / "peers"
# What tables call them, and where their version is pinned.
PEERS = {
    "flink": ("Flink SQL", CODE / "flink" / "requirements.txt", r"apache-flink==(\S+)"),
    "dbsp": ("dbsp", CODE / "dbsp" / "Cargo.toml", r'dbsp = "=(\S+)"'),
}


def name(peer):
    return PEERS[peer][0]


def version(peer):
    _, pins, pattern = PEERS[peer]
    return f"{name(peer)} {re.search(pattern, pins.read_text())[1]}"


def installed(wanted):
    """The programs of those that are there; a line about each that is not."""
    found = {}
    for peer in wanted:
        run = subprocess.run([INSTALLER, "where", peer], capture_output=True, text=True)
        if run.returncode == 0:
            found[peer] = run.stdout.strip()
        else:
            say(f"{name(peer)} is left out, it is not installed: scripts/bench-peers install {peer}")
    return found


def command(peer, program, options, data, query, count):
    if peer == "flink":
        run = [program, "-B", CODE / "flink" / "run.py", "--data", data, "--query", query, "--texts", options.texts, "--slots", "2"]
        return run + ["--count"] * count
    return [program, data, query, "2", "50000"]


def measure(peer, program, options, data, query, count):
    """One run. `count`: with the number of rows, where that costs a run of its own."""
    try:
        made = command(peer, program, options, data, query, count)
        run = subprocess.run(made, capture_output=True, text=True, timeout=options.timeout)
    except subprocess.TimeoutExpired:
        return {"refused": f"not done after {options.timeout:.0f} s"}
    if run.returncode != 0:
        return {"refused": f"{reason(run.stderr)}\n    if something of it is missing: scripts/bench-peers install {peer}"}
    found = json.loads(run.stdout.splitlines()[-1])
    if (read := found.pop("events", options.events)) != options.events:
        return {"refused": f"it read {read} events of {options.events}"}
    return found


def orders(program, folder, runs):
    """What Flink makes of a change log in files, run after run in one JVM: the later ones are warm."""
    run = subprocess.run(
        [program, "-B", CODE / "flink" / "orders.py", "--data", folder, "--runs", str(runs)], capture_output=True, text=True, timeout=1800)
    if run.returncode != 0:
        raise SystemExit(f"{name('flink')}: {reason(run.stderr)}\n    if something of it is missing: scripts/bench-peers install flink")
    return [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]


def reason(errors):
    """The line that says most: Java's innermost cause, or the first word of an error."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()] or ["no reason given"]
    causes = [line for line in lines if line.startswith("Caused by: ")]
    return causes[-1].removeprefix("Caused by: ") if causes else next((line for line in lines if line.startswith("Error: ")), lines[-1])
