"""A floe server that lives for one measurement, and what its process used."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

TICKS = os.sysconf("SC_CLK_TCK")


class Refused(Exception):
    """floe answered a statement with an error."""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """`floe serve` on a fresh state directory, with its defaults but for `flags`. `data` puts that directory elsewhere."""

    def __init__(self, floe, folder, workers=None, flags=(), data=None, log="info"):
        self.floe, self.folder = floe, tempfile.mkdtemp(prefix="floe-bench.", dir=folder)
        self.data = tempfile.mkdtemp(prefix="floe-bench.", dir=data) if data else f"{self.folder}/data"
        self.port, self.http = free_port(), free_port()
        self.command = [floe, "serve", "--data", self.data, "--listen", f"127.0.0.1:{self.port}", "--http", f"127.0.0.1:{self.http}"]
        self.command += (["--workers", str(workers)] if workers else []) + list(flags)
        self.environment = os.environ | {"FLOE_LOG": log}
        self.log = open(f"{self.folder}/log", "w+")
        self.started = self.start()

    def launch(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=self.environment)

    def start(self):
        """Starts the process; how many seconds it takes until it says that it is ready."""
        begin = time.perf_counter()
        self.launch()
        # Long enough for any recovery: who measures one looks at the clock.
        while time.perf_counter() - begin < 600:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/readyz", timeout=2):
                    return time.perf_counter() - begin
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.002)
        raise RuntimeError(f"floe does not start:\n{self.said()}")

    def kill(self):
        """As a crash would end it."""
        self.process.kill()
        self.process.wait()

    def lines(self):
        """What it has logged so far."""
        with open(self.log.name) as log:
            return log.read().splitlines()

    def said(self):
        return "\n".join(self.lines()[-15:])

    def start_sql(self, text):
        """Runs a script beside this program."""
        path = f"{self.folder}/script.sql"
        with open(path, "w") as script:
            script.write(text)
        command = [self.floe, "sql", "-q", "-p", str(self.port), "-f", path]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run_sql(self, text):
        """Runs a script and waits for it."""
        client = self.start_sql(text)
        _, errors = client.communicate()
        if client.returncode != 0:
            raise Refused(first_line(errors))

    def rows(self, text):
        """The answer to one query, as lines of CSV without the header."""
        run = subprocess.run(self._query(text), capture_output=True, text=True)
        if run.returncode != 0:
            raise Refused(first_line(run.stderr))
        return run.stdout.splitlines()[1:]

    def save(self, text, path):
        with open(path, "w") as out:
            run = subprocess.run(self._query(text), stdout=out, stderr=subprocess.PIPE, text=True)
        if run.returncode != 0:
            raise Refused(first_line(run.stderr))

    def _query(self, text):
        return [self.floe, "sql", "-q", "-p", str(self.port), "--format", "csv", "-c", text]

    def cpu(self):
        """User and system seconds of all its threads since it started, ended ones too."""
        # The process's own CPU clock, whose number Linux makes of the process's: /proc has the same in hundredths.
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def threads(self):
        """CPU seconds by the name of the thread; those of threads that have ended are under None."""
        found, total = {}, self.cpu()
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            try:
                with open(f"/proc/{self.process.pid}/task/{task}/comm") as comm:
                    name = comm.read().strip()
                # Nanoseconds on a core, the first number.
                with open(f"/proc/{self.process.pid}/task/{task}/schedstat") as stat:
                    spent = int(stat.read().split()[0]) / 1e9
            except (FileNotFoundError, ProcessLookupError):
                continue
            found[name] = found.get(name, 0.0) + spent
        found[None] = max(0.0, total - sum(found.values()))
        return found

    def metrics(self):
        """The figures of /metrics by their names with labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def counts(self, histogram, labels=""):
        """How many a histogram of /metrics has counted up to each of its bounds."""
        start = f"{histogram}_bucket{{{labels}{',' if labels else ''}le=\""
        return {float(name[len(start):-2]): count for name, count in self.metrics().items() if name.startswith(start)}

    def stalls(self):
        """For how many seconds each checkpoint stopped the epochs; needs `log=STALLS`."""
        found = (re.search(r"micros=(\d+)", plain(line)) for line in self.lines() if "a checkpoint was put together" in line)
        return [int(match[1]) / 1e6 for match in found if match]

    def peak_mib(self):
        return self._status("VmHWM")

    def resident_mib(self):
        return self._status("VmRSS")

    def _status(self, name):
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) / 1024 for line in status if line.startswith(name))

    def disk_mib(self):
        """What the state directory holds."""
        sizes = (os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(self.data) for name in names)
        return sum(sizes) / 2**20

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
        self.log.close()
        for folder in (self.folder, self.data):
            shutil.rmtree(folder, ignore_errors=True)


# The log level at which each checkpoint tells how long it stopped the epochs.
STALLS = "info,floe::coordinator::checkpoint=debug"


def plain(line):
    """A line of the log without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", line)


def first_line(text):
    """What `floe sql` says is wrong, without the place in the script."""
    lines = [line for line in text.splitlines() if line.strip()] or ["no reason given"]
    line = next((line for line in lines if "error:" in line.lower()), lines[0])
    return re.sub(r"^.*?error:\s*", "", line, flags=re.IGNORECASE)


def quantile(before, after, share):
    """The value below which that share lies of what a histogram has counted between two looks; even between bounds."""
    bounds = sorted(after)
    counted = [after[bound] - before.get(bound, 0.0) for bound in bounds]
    wanted, low, below = share * counted[-1], 0.0, 0.0
    for bound, count in zip(bounds, counted):
        if count >= wanted and count > below:
            return low if bound == float("inf") else low + (bound - low) * (wanted - below) / (count - below)
        low, below = bound, count
    return low


def machine_busy():
    """CPU seconds that the whole machine has worked since it started."""
    with open("/proc/stat") as stat:
        user, nice, system, _, _, irq, softirq, *_ = (int(n) for n in stat.readline().split()[1:])
    return (user + nice + system + irq + softirq) / TICKS
