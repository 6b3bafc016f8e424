"""Flink SQL inside one JVM, which pyflink starts, and what that process uses."""

import os
import re
import time
from pathlib import Path

# What the public suite for Flink sets, but for the number of slots, and state on the heap without checkpoints.
SETTINGS = {
    "pipeline.object-reuse": "true",
    "state.backend.type": "hashmap",
    "table.exec.mini-batch.enabled": "true",
    "table.exec.mini-batch.allow-latency": "2s",
    "table.exec.mini-batch.size": "50000",
    "table.optimizer.distinct-agg.split.enabled": "true",
    "table.local-time-zone": "UTC",
}


def environment(slots):
    """A streaming environment of so many slots. It starts the JVM."""
    # The heap may grow to half of the memory, as floe's state may.
    megabytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**21
    os.environ["JVM_ARGS"] = f"-Xmx{megabytes}m"
    from pyflink.common import Configuration
    from pyflink.table import EnvironmentSettings, TableEnvironment

    settings = Configuration()
    for name, value in (SETTINGS | {"parallelism.default": str(slots), "taskmanager.numberOfTaskSlots": str(slots)}).items():
        settings.set_string(name, value)
    return TableEnvironment.create(EnvironmentSettings.new_instance().in_streaming_mode().with_configuration(settings).build())


def discard(query):
    """Runs a query into a sink that keeps nothing, from its submission to its end: what that costs the JVM."""
    from pyflink.java_gateway import get_gateway
    from pyflink.table import TableDescriptor

    # The process of the JVM, by its own word.
    process = int(Path(get_gateway().jvm.java.io.File("/proc/self").getCanonicalPath()).name)
    sink = TableDescriptor.for_connector("blackhole").build()
    begin, used = time.perf_counter(), cpu(process)
    query.execute_insert(sink).wait()
    return {"wall_s": time.perf_counter() - begin, "cpu_s": cpu(process) - used, "rss_mib": peak_mib(process)}


def cpu(process):
    """User and system seconds of all threads of a process since it started."""
    return time.clock_gettime((~process << 3) | 2)


def peak_mib(process):
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024
