//! SIGKILL while clients work, at moments drawn at random, several times in a row; every second start is killed as well.

use std::time::Duration;

use rand::Rng;

use crate::lanes::{Round, everything};
use crate::round::{Outcome, connect, finish, start};
use crate::support::{progress, run_ok, shop};
use crate::work::{STEPS, Work};
use crate::world::World;
use crate::{audit, support};

/// Kills of one round.
const KILLS: u64 = 8;

pub fn rounds(seed: u64) -> Vec<Round> {
    let rounds = if everything() { 40 } else { 3 };
    let round = |number| {
        let seed = seed.wrapping_add(number);
        Round { name: format!("seed {seed}"), play: Box::new(move |world| play(world, seed)) }
    };
    (0..rounds).map(round).collect()
}

fn play(world: &mut World, seed: u64) -> Result<Outcome, String> {
    let mut random = shop::random(seed);
    let mut work = Work::new(seed);
    for kill in 1..=KILLS {
        let mut floe = start(world, "")?;
        audit::acknowledged(&connect(&floe)?, &mut work).map_err(|e| format!("before kill {kill}: {e}"))?;
        let (process, wait) = (floe.id().to_string(), Duration::from_millis(random.random_range(0..250)));
        // The last step is kept for the end: however often it is killed, there is work left.
        let last = (work.steps.acknowledged + 6).min(STEPS - 1);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(wait);
                run_ok(std::process::Command::new("kill").args(["-9", &process]));
            });
            // Killed, or done before.
            let _ = work.go(world, &floe.address(), last);
        });
        floe.kill();
        drop(floe);
        if random.random_bool(0.5) {
            killed_while_it_starts(world, Duration::from_millis(random.random_range(5..120)));
        }
    }
    let floe = start(world, "")?;
    finish(world, &mut work, &floe)?;
    if everything() {
        progress(format_args!("seed {seed}: {KILLS} kills"));
    }
    Ok(Outcome::Hit)
}

/// A start that is killed after that time, ready or not.
fn killed_while_it_starts(world: &World, after: Duration) {
    let port = world.port.to_string();
    let mut process = support::floe::spawn_bare(&world.data(), &port);
    std::thread::sleep(after);
    let _ = process.kill();
    let _ = process.wait();
}
