//! Rounds side by side: most of a round is waiting. Each lane has a world of its own; what fails is told at the end, with
//! the name that repeats it.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::Instant;

use crate::round::{Outcome, tail};
use crate::support::{progress, run_ok};
use crate::world::World;

const LANES: usize = 3;

/// A round, and the name under which it can be had again: `FLOE_TORTURE_ONLY=name`.
pub struct Round {
    pub name: String,
    pub play: Box<dyn Fn(&mut World) -> Result<Outcome, String> + Send>,
}

#[derive(Default)]
struct Score {
    done: usize,
    missed: Vec<String>,
    failed: Vec<String>,
}

/// True when everything is to be run, and not the share of it that each change has to pass.
pub fn everything() -> bool {
    std::env::var("FLOE_TORTURE").is_ok_and(|v| v == "all")
}

/// Plays all rounds. At least `hits` of a hundred have to have met what they wait for: rounds in which nothing happens
/// prove nothing.
pub fn run(what: &str, mut rounds: Vec<Round>, hits: usize) {
    let only = std::env::var("FLOE_TORTURE_ONLY").ok();
    if let Some(only) = &only {
        rounds.retain(|round| round.name.contains(only.as_str()));
    }
    let (all, begin) = (rounds.len(), Instant::now());
    let (queue, score) = (Mutex::new(VecDeque::from(rounds)), Mutex::new(Score::default()));
    std::thread::scope(|scope| {
        for _ in 0..LANES.min(all) {
            scope.spawn(|| {
                let folder = tempfile::tempdir().expect("a folder");
                let mut world = World::new(folder.path().to_path_buf());
                // A call of its own: in the loop's head the lock would be held for the whole round.
                let next = || queue.lock().expect("the rounds").pop_front();
                while let Some(round) = next() {
                    world.reset();
                    let played = catch_unwind(AssertUnwindSafe(|| (round.play)(&mut world)));
                    let played = played.unwrap_or_else(|panic| Err(panic.downcast_ref::<String>().cloned().unwrap_or_default()));
                    score.lock().expect("the score").note(what, all, &round.name, played, &world);
                }
            });
        }
    });
    let score = score.into_inner().expect("the score");
    let hit = all - score.missed.len() - score.failed.len();
    progress(format_args!(
        "{what}: {all} rounds in {} s, {hit} hit, {} missed, {} failed",
        begin.elapsed().as_secs(),
        score.missed.len(),
        score.failed.len()
    ));
    assert!(score.failed.is_empty(), "{} of {all} rounds failed:\n\n{}\n", score.failed.len(), score.failed.join("\n\n"));
    assert!(only.is_some() || hit * 100 >= all * hits, "only {hit} of {all} rounds hit; these missed: {:?}", score.missed);
}

impl Score {
    fn note(&mut self, what: &str, all: usize, name: &str, played: Result<Outcome, String>, world: &World) {
        self.done += 1;
        match played {
            Ok(Outcome::Hit) => {}
            Ok(Outcome::Missed) => self.missed.push(name.to_string()),
            Err(complaint) => {
                let log = tail(&world.log());
                if let Ok(folder) = std::env::var("FLOE_TORTURE_KEEP") {
                    let to = std::path::Path::new(&folder).join(name.replace([' ', '/'], "_"));
                    run_ok(std::process::Command::new("cp").arg("-a").arg(world.at("")).arg(to));
                }
                progress(format_args!("{what}: {name} FAILED: {complaint}"));
                self.failed.push(format!("FLOE_TORTURE_ONLY='{name}': {complaint}\n--- the end of floe's log\n{log}"));
            }
        }
        if self.done.is_multiple_of(20) || self.done == all {
            progress(format_args!("{what}: {} of {all}, {} failed", self.done, self.failed.len()));
        }
    }
}
