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
    """`floe serve` with its defaults on a fresh state directory."""

    def __init__(self, floe, folder, workers=None):
        self.floe, self.folder = floe, tempfile.mkdtemp(prefix="floe-nexmark.", dir=folder)
        self.port, self.http = free_port(), free_port()
        command = [floe, "serve", "--data", f"{self.folder}/data", "--listen", f"127.0.0.1:{self.port}", "--http", f"127.0.0.1:{self.http}"]
        if workers:
            command += ["--workers", str(workers)]
        self.log = open(f"{self.folder}/log", "w+")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self._wait()

    def _wait(self):
        for _ in range(600):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/readyz", timeout=2):
                    return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.05)
        raise RuntimeError(f"floe does not start:\n{self.said()}")

    def said(self):
        self.log.seek(0)
        return "".join(self.log.readlines()[-15:])

    def start_sql(self, text):
        """Runs a script beside this program."""
        path = f"{self.folder}/script.sql"
        with open(path, "w") as script:
            script.write(text)
        command = [self.floe, "sql", "-q", "-p", str(self.port), "-f", path]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

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
        """User and system seconds of all its threads since it started."""
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def peak_mib(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def first_line(text):
    """What `floe sql` says is wrong, without the place in the script."""
    lines = [line for line in text.splitlines() if line.strip()] or ["no reason given"]
    line = next((line for line in lines if "error:" in line.lower()), lines[0])
    return re.sub(r"^.*?error:\s*", "", line, flags=re.IGNORECASE)


def machine_busy():
    """CPU seconds that the whole machine has worked since it started."""
    with open("/proc/stat") as stat:
        user, nice, system, _, _, irq, softirq, *_ = (int(n) for n in stat.readline().split()[1:])
    return (user + nice + system + irq + softirq) / TICKS
