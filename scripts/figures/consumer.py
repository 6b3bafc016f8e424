"""What librdkafka alone makes of a topic: the consumer that it ships to measure itself with, linked with the library that floe is
linked with. It takes the messages in batches and does nothing with them."""

import functools
import json
import os
import re
import resource
import shutil
import subprocess
import tempfile
from pathlib import Path

# As floe sets it: by itself the client waits for a second when its queue was full.
SETTINGS = ["-X", "fetch.queue.backoff.ms=5"]
BATCH = 4096


@functools.cache
def program():
    """Compiles it with the library in the target folder, once a process: floe was built before."""
    program = Path(os.environ["FLOE_CACHE"]) / "bin" / "librdkafka-consumer"
    listed = subprocess.run([os.environ["CARGO"], "metadata", "--format-version", "1", "--locked"], capture_output=True, check=True, text=True)
    crates = {package["name"]: Path(package["manifest_path"]).parent for package in json.loads(listed.stdout)["packages"]}
    code = crates["rdkafka-sys"] / "librdkafka"
    built = Path(os.environ["CARGO_TARGET_DIR"]) / "release" / "build"

    def newest(pattern):
        found = sorted(built.glob(pattern), key=lambda path: path.stat().st_mtime)
        if not found:
            raise SystemExit(f"{built}/{pattern} is not there: build floe first (make build)")
        return found[-1]

    library = newest("rdkafka-sys-*/out/lib/librdkafka.a")
    with tempfile.TemporaryDirectory() as folder:
        # Its headers look for the settings of the build one folder above theirs.
        (Path(folder) / "src").mkdir()
        (Path(folder) / "config.h").write_bytes((library.parents[1] / "build/generated/config.h").read_bytes())
        made = Path(folder) / "consumer"
        command = ["cc", "-O2", f"-I{folder}/src", f"-I{code}/src", code / "examples/rdkafka_performance.c", library]
        command += [newest("zstd-sys-*/out/libzstd.a"), "-lssl", "-lcrypto", "-lz", "-lm", "-lpthread", "-ldl", "-o", made]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        program.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(made, program)
    return program


def read_all(name, partitions, count):
    """What it costs to read the topic from its first to its last message."""
    command = [program(), "-C", "-q", "-t", name, "-b", os.environ["FLOE_TEST_KAFKA"], "-o", "beginning", "-B", str(BATCH), "-c", str(count)]
    command += [word for partition in range(partitions) for word in ("-p", str(partition))] + SETTINGS
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run(command, capture_output=True, text=True, timeout=600)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Its own clock, which begins with the first message.
    told = re.search(r"(\d+) messages \((\d+) bytes\) consumed in (\d+)ms", run.stdout + run.stderr)
    if not told or int(told[1]) != count:
        raise SystemExit(f"librdkafka's consumer did not read {count} messages of {name}:\n{run.stdout}{run.stderr}"[:2000])
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu_s": spent, "wall_s": int(told[3]) / 1e3, "bytes": int(told[2])}
