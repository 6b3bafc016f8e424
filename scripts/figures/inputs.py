"""The sources of Nexmark as floe reads them, under the names that the queries use."""

from common import file_options, kafka_options
from queries import COLUMNS

UNIT = ", timestamp.unit = 'millis'"


def mixed(options):
    """One source of events of all kinds, and a view for each kind."""
    structs = []
    for table, columns in COLUMNS.items():
        fields = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        structs.append(f"{table} STRUCT<{fields}>")
    yield f"CREATE SOURCE events (event_type INT, {', '.join(structs)}) WITH ({options}{UNIT}) FORMAT PLAIN ENCODE JSON;"
    for number, (table, columns) in enumerate(COLUMNS.items()):
        shown = ", ".join(f'({table}).{name} AS {"ts" if name == "dateTime" else name}' for name in columns)
        yield f"CREATE VIEW {table} AS SELECT {shown} FROM events WHERE event_type = {number};"


def split(folder):
    """A source for each kind."""
    for table, columns in COLUMNS.items():
        declared = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
        options = file_options(f"{folder}/{table}/part-*.jsonl", UNIT)
        yield f"CREATE SOURCE {table}_raw ({declared}) WITH ({options}) FORMAT PLAIN ENCODE JSON;"
        shown = ", ".join(f'"{name}" AS {"ts" if name == "dateTime" else name}' for name in columns)
        yield f"CREATE VIEW {table} AS SELECT {shown} FROM {table}_raw;"


def of_files(folder):
    """The statements for a folder of `floe generate nexmark`."""
    if folder.name.startswith("mixed"):
        return list(mixed(file_options(f"{folder}/mixed/part-*.jsonl")))
    return list(split(folder))


def of_topic(topic):
    return list(mixed(kafka_options(topic)))
