"""A process that writes events at a rate, in blocks, and notes when it began to write each block."""

import os
import time

# How often a block is written.
EVERY = 0.005


def block(rate):
    return max(1, int(rate * EVERY))


def text(first, count, keys):
    """`count` lines; keys are spread, and the same event is always the same."""
    at = time.time_ns() // 1000
    return [
        '{"n":%d,"k":%d,"amount":%d,"at":%d,"note":"event %d of a stream"}' % (n, n * 7919 % keys, n % 1000, at, n)
        for n in range(first, first + count)
    ]


def paced(rate, seconds, keys, times, put):
    """Hands each block to `put` at its time. A block that is late does not make the next one early."""
    count, begin = block(rate), time.perf_counter()
    for number in range(int(seconds / EVERY)):
        due = begin + number * EVERY
        if (left := due - time.perf_counter()) > 0:
            time.sleep(left)
        lines = text(number * count, count, keys)
        times[number] = time.perf_counter()
        put(lines)


def to_file(path, rate, seconds, keys, times):
    with open(path, "ab", buffering=0) as out:
        paced(rate, seconds, keys, times, lambda lines: out.write(("\n".join(lines) + "\n").encode()))


def to_topic(topic, rate, seconds, keys, times):
    from confluent_kafka import Producer
    producer = Producer({"bootstrap.servers": os.environ["FLOE_TEST_KAFKA"], "linger.ms": 0, "acks": 1})
    def put(lines):
        for line in lines:
            producer.produce(topic, line)
        producer.poll(0)
    paced(rate, seconds, keys, times, put)
    producer.flush(10)
