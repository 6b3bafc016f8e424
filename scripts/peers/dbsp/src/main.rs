//! One Nexmark query on the crate `dbsp`: how much it costs over the files that floe reads.
//!
//!     nexmark-dbsp DIR QUERY WORKERS EVENTS
//!
//! DIR is a folder of `floe generate nexmark --what mixed`, EVENTS is how many make a transaction: with more each costs less, and
//! the answer is older. Prints one JSON line. The clock goes from the first byte read to the
//! last change of the answer; the CPU time is the whole process's.

mod answer;
mod circuits;
mod events;
mod groups;
mod joins;
mod windows;

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use dbsp::Runtime;
use dbsp::circuit::CircuitConfig;
use nix::time::{ClockId, clock_gettime};

use answer::Answer;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [data, query, workers, lines] = arguments.as_slice() else { return Err("usage: nexmark-dbsp DIR QUERY WORKERS EVENTS".into()) };
    let (answer, begin) = (Answer::default(), Instant::now());
    let (query, kept) = (query.clone(), answer.clone());
    let (mut circuit, inputs) =
        Runtime::init_circuit(CircuitConfig::with_workers(workers.parse()?), move |circuit| Ok(circuits::build(circuit, &query, &kept)?))?;
    let (readers, mut events) = (events::readers(Path::new(data), lines.parse()?)?, 0);
    loop {
        let mut some = false;
        for mut batch in readers.iter().filter_map(events::Reader::next) {
            (some, events) = (true, events + batch.events);
            inputs.persons.append(&mut batch.persons);
            inputs.auctions.append(&mut batch.auctions);
            inputs.bids.append(&mut batch.bids);
        }
        if !some {
            break;
        }
        circuit.transaction()?;
    }
    for reader in readers {
        reader.finish().map_err(|error| error.to_string())?;
    }
    let wall = begin.elapsed().as_secs_f64();
    let used = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?;
    let cpu = used.tv_sec() as f64 + used.tv_nsec() as f64 / 1e9;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse::<f64>().ok());
    let found = serde_json::json!({
        "wall_s": wall, "cpu_s": cpu, "rss_mib": peak.ok_or("no peak in /proc/self/status")? / 1024.0,
        "rows": answer.rows(), "events": events,
    });
    println!("{found}");
    circuit.kill().map_err(|_| "a worker panicked")?;
    Ok(())
}
