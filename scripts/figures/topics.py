"""Topics of a measurement: made, filled as fast as librdkafka can, and taken away."""

import os
import time

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from common import say

# Larger than any message here. What is sent again because no answer came in time is neither written twice nor behind what came later:
# the answers are compared with those of the files.
PRODUCER = {"enable.idempotence": True, "linger.ms": 20, "batch.num.messages": 20_000, "batch.size": 1 << 20, "queue.buffering.max.kbytes": 256 << 10}


def brokers():
    return {"bootstrap.servers": os.environ["FLOE_TEST_KAFKA"]}


def remove(name):
    admin = AdminClient(brokers())
    if name in admin.list_topics(timeout=20).topics:
        admin.delete_topics([name], operation_timeout=30)[name].result()


def create(name, partitions):
    """An empty topic; one of an earlier run is taken away first."""
    remove(name)
    # Held while its answer is awaited.
    admin = AdminClient(brokers())
    for attempt in range(50):
        try:
            admin.create_topics([NewTopic(name, partitions, 1)])[name].result()
            return
        except KafkaException:
            # The broker takes a moment to forget the old one.
            if attempt == 49:
                raise
            time.sleep(0.2)


def fill(name, files, keyed=False):
    """A topic with a partition for each file and a message for each line; a `keyed` line is key, tab and value. How many."""
    create(name, len(files))
    say(f"filling the topic {name}")
    producer, count = Producer(brokers() | PRODUCER), 0
    for partition, path in enumerate(files):
        with open(path, "rb") as lines:
            for line in lines:
                key, value = None, line[:-1]
                if keyed:
                    key, _, value = value.partition(b"\t")
                while True:
                    try:
                        # A tombstone has no value.
                        producer.produce(name, value or None, key, partition)
                        break
                    except BufferError:
                        producer.poll(0.1)
                count += 1
                if count % 10_000 == 0:
                    producer.poll(0)
    if left := producer.flush(120):
        raise RuntimeError(f"{left} messages of {name} were not taken")
    return count
