# What all scripts share: folders, ports, messages, and processes that are started, found again and stopped by pid.
# Sourced, not run.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Downloads and builds that are worth keeping. A service's own files go below FLOE_RUN, which any user may enter,
# because PostgreSQL refuses to run as root.
: "${FLOE_CACHE:=$HOME/.cache/floe}"
: "${FLOE_RUN:=/tmp/floe-services-$(id -u)}"
: "${CARGO_TARGET_DIR:=$FLOE_CACHE/target}"
: "${CARGO:=cargo}"
export FLOE_CACHE FLOE_RUN CARGO_TARGET_DIR CARGO
# Where rustup puts its links: a shell that was opened before it was installed does not know.
[[ ":$PATH:" == *":$HOME/.cargo/bin:"* ]] || PATH=$PATH:$HOME/.cargo/bin

# Ports of their own, far from the usual ones, so that a developer's own PostgreSQL or Kafka is never touched.
: "${FLOE_POSTGRES_PORT:=25432}"
: "${FLOE_KAFKA_PORT:=29092}"
: "${FLOE_KAFKA_CONTROLLER_PORT:=29093}"
: "${FLOE_CONNECT_PORT:=28083}"
: "${FLOE_S3_PORT:=29000}"
: "${FLOE_CATALOG_PORT:=28181}"
S3_KEY=floe S3_SECRET=floe-secret S3_REGION=us-east-1 S3_BUCKET=warehouse

say() { echo "${0##*/}: $*" >&2; }
die() { say "$*"; exit 1; }

# quietly LOG COMMAND...: output goes to LOG and is shown only when the command fails.
quietly() {
  local log=$1
  shift
  mkdir -p "$(dirname "$log")"
  "$@" >"$log" 2>&1 </dev/null || { tail -n 25 "$log" >&2; die "${1##*/} failed (all it said: $log)"; }
}

# exclusively NAME FUNCTION...: two callers of the same name go one after the other.
exclusively() {
  local name=$1
  shift
  mkdir -p "$FLOE_CACHE/locks"
  ( flock 9; "$@" 9>&- ) 9>"$FLOE_CACHE/locks/$name"
}

# A process is its number and its start time: numbers are used again, and nothing is stopped that was not started here.
born() { sed -n 's/^.*) \([^ZX]\)/\1/p' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
pid_of() {
  local pid time
  read -r pid time 2>/dev/null <"$FLOE_RUN/$1/pid" || return 1
  [[ -n $time && $(born "$pid") == "$time" ]] && echo "$pid"
}

# launch NAME COMMAND...: runs it in a session of its own, so that Ctrl-C at the terminal does not reach it.
launch() {
  local name=$1
  shift
  mkdir -p "$FLOE_RUN/$name"
  setsid "$@" >"$FLOE_RUN/$name/log" 2>&1 </dev/null &
  echo "$! $(born $!)" >"$FLOE_RUN/$name/pid"
  disown
}

# halt NAME: asks, waits 20 s, insists.
halt() {
  local pid i
  pid=$(pid_of "$1") || return 0
  kill -TERM "$pid" 2>/dev/null || true
  for ((i = 0; i < 200; i++)); do pid_of "$1" >/dev/null || { rm -f "$FLOE_RUN/$1/pid"; return 0; }; sleep 0.1; done
  kill -KILL "$pid" 2>/dev/null || true
  rm -f "$FLOE_RUN/$1/pid"
}

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# A stopped server's threads may hold its port a moment longer than it lives.
need_port() {
  local i
  for ((i = 0; i < 50; i++)); do listening "$1" || return 0; sleep 0.1; done
  die "port $1 is taken by another process; set $2 to a free one"
}

# await NAME SECONDS TEST...: until TEST succeeds; an error with the end of the log when the process is gone or time is up.
await() {
  local name=$1 seconds=$2 i
  shift 2
  for ((i = 0; i < seconds * 5; i++)); do
    if "$@" >/dev/null 2>&1; then return 0; fi
    pid_of "$name" >/dev/null || { tail -n 25 "$FLOE_RUN/$name/log" >&2; die "$name ended by itself (log: $FLOE_RUN/$name/log)"; }
    sleep 0.2
  done
  tail -n 25 "$FLOE_RUN/$name/log" >&2
  die "$name is not ready after $seconds s (log: $FLOE_RUN/$name/log)"
}

# jars FOLDER: fetches the runtime dependencies of FOLDER/pom.xml once and prints where they are. The place is named
# after the pom's content, and appears by a rename: whole or not at all.
jars() {
  local pom=$1/pom.xml to
  to=$FLOE_CACHE/jars/$(basename "$1")-$(sha256sum "$pom" | cut -c1-12)
  [[ -d $to ]] || exclusively "jars-$(basename "$1")" fetch_jars "$pom" "$to"
  echo "$to"
}
fetch_jars() {
  local pom=$1 to=$2 work
  [[ -d $to ]] && return
  say "fetching the jars of $(basename "$(dirname "$pom")") (once)"
  mkdir -p "$FLOE_CACHE/jars"
  work=$(mktemp -d "$FLOE_CACHE/jars/.part.XXXXXX")
  cp "$pom" "$work/pom.xml"
  quietly "$FLOE_CACHE/logs/mvn-$(basename "$to").log" mvn -B -ntp -q -C -f "$work/pom.xml" -Dmaven.repo.local="$FLOE_CACHE/m2" \
    org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$work/lib" \
    -DexcludeGroupIds="$(sed -n 's/^ *provided: \(.*\) -->.*/\1/p' "$pom")"
  mv "$work/lib" "$to"
  rm -rf "$work"
}

# Small Java processes: a fixed small heap, the collector that needs least, and no second compiler.
java_small=(-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Djava.awt.headless=true)

# service UP DOWN STATUS ARGUMENT: the three words that each service script knows.
service() {
  case ${1:-} in
    up) exclusively "service-$NAME" up ;;
    down) exclusively "service-$NAME" down ;;
    wipe) exclusively "service-$NAME" wipe ;;
    status) if ready >/dev/null 2>&1; then echo "$NAME: up"; else echo "$NAME: down"; return 1; fi ;;
    *) echo "usage: $0 up | down | wipe | status" >&2; exit 2 ;;
  esac
}
wipe() { down; rm -rf "${FLOE_RUN:?}/$NAME"; }

# environment_of REQUIREMENTS.txt: the place of an environment with these packages, named after the list's content.
environment_of() { echo "$FLOE_CACHE/$(basename "$(dirname "$1")")-$(sha256sum "$1" | cut -c1-12)"; }

# figure NAME ARGUMENT...: one measurement of scripts/figures, on FLOE_BENCH_BINARY or on a binary that is built first.
figure() {
  local name=$1 floe python
  shift
  floe=${FLOE_BENCH_BINARY:-$("$ROOT/scripts/build" | tail -n 1)}
  python=$("$ROOT/scripts/services/python" "$ROOT/scripts/figures/requirements.txt")
  exec "$python" -B "$ROOT/scripts/figures/$name.py" --floe "$floe" --cache "$FLOE_CACHE/nexmark" "$@"
}
