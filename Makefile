# floe's targets. Each does what its script says; the scripts install what is missing.

.PHONY: help build check test torture bench demo slt services clean-services

help:
	@echo "make build            the release binary; its path is on the last line"
	@echo "make demo             builds floe and shows it at work, without any other service"
	@echo "make check            format, lint and the map: the whole ritual before a commit"
	@echo "make test             all tests, with PostgreSQL, Kafka, Debezium, S3 and an Iceberg catalog of their own"
	@echo "make torture          floe killed and failed at every place where it can be, each time audited: an hour"
	@echo "make bench            all measurements of docs/benchmarks.md, each answer checked against DuckDB's"
	@echo "make slt FILE=f.slt SERVER=127.0.0.1:4566    a sqllogictest file against a server that runs"
	@echo "make services         starts the test services and leaves them running"
	@echo "make clean-services   stops them and removes their data (downloads are kept)"

build:
	@scripts/build

check:
	@scripts/check

test:
	@scripts/test

torture:
	@scripts/torture

demo:
	@scripts/demo

bench:
	@scripts/bench
	@scripts/bench-debezium
	@scripts/bench-kafka
	@scripts/bench-latency
	@scripts/bench-durability
	@scripts/bench-memory
	@scripts/bench-together
	@scripts/bench-workers
	@scripts/bench-stages
	@scripts/bench-pieces

slt:
	@scripts/slt "$(FILE)" "$(SERVER)"

services:
	@scripts/setup test
	@scripts/services/all up
	@scripts/services/env

clean-services:
	@scripts/services/all wipe
