//! Every fail point of floe, each way: the process is killed there, the step fails, floe has a defect there, it takes long.

use std::time::Duration;

use floe::fail_points::FailPoint;

use crate::lanes::{Round, everything};
use crate::round::{LIMIT, Outcome, answered, connect, finish, recover, start, stopped, tail};
use crate::support::Floe;
use crate::work::{STEPS, Work, ask};
use crate::world::{VIEWS, World};

const ACTIONS: [&str; 4] = ["kill", "error", "panic", "delay:300"];
/// What an injected error and a panic are to a client.
const STATES: [&str; 2] = ["58030", "XX000"];
/// Where recovery is killed, in the rounds in which it is.
const ON_THE_WAY: [&str; 3] = ["recovery.replay", "recovery.loaded", "recovery.done"];

/// What an error at the point does.
enum Meaning {
    /// Memory and disk may be apart: floe changes nothing any more.
    StopsAll,
    /// The statement fails, nothing else does.
    StopsStatement,
    /// One view stops.
    StopsView,
    /// Is tried again by itself.
    TriedAgain,
    /// A checkpoint is not kept, who asked for that is told, and nothing else notices.
    NotKept,
    /// The start fails.
    StopsStart,
    /// The end goes without a last checkpoint.
    AtTheEnd,
    /// No floe runs then: `tests/going_back.rs` stops it there.
    OfRestores,
}

fn meaning(point: FailPoint) -> Meaning {
    use FailPoint::*;
    match point {
        EpochSealed | JournalWritten | EpochStepped | EpochPublished => Meaning::StopsAll,
        CheckpointCollected | CheckpointWrite | CheckpointWritten | CheckpointTold => Meaning::StopsAll,
        DefinitionWritten | DropMade | DropWritten => Meaning::StopsAll,
        TablesStep | BackfillChunk | DefinitionMade => Meaning::StopsStatement,
        ViewStep => Meaning::StopsView,
        KeepBegun | KeepLinked | KeepNamed => Meaning::NotKept,
        SinkPrepared | SinkRecorded | CommitReady | CommitLanded | SinkCommitted | SinkForgot => Meaning::TriedAgain,
        RecoveryLoaded | RecoveryReplay | RecoveryDone => Meaning::StopsStart,
        Shutdown => Meaning::AtTheEnd,
        RestoreCopied | RestoreDecided | RestoreMoved => Meaning::OfRestores,
    }
}

pub fn rounds(seed: u64) -> Vec<Round> {
    let mut rounds = Vec::new();
    let points = FailPoint::ALL.iter().filter(|point| !matches!(meaning(**point), Meaning::OfRestores));
    for (number, point) in points.enumerate() {
        for (which, action) in ACTIONS.into_iter().enumerate() {
            for time in [1, 4] {
                let once = matches!(meaning(*point), Meaning::StopsStart | Meaning::AtTheEnd)
                    || ["backfill.", "definition.", "drop."].iter().any(|start| point.name().starts_with(start));
                // The share of each change: every point is killed at once, and meets half of the other fates.
                let share = time == 1 && (which == 0 || (number + which).is_multiple_of(2));
                if (time > 1 && once) || !(share || everything()) {
                    continue;
                }
                let seed = seed.wrapping_add(1000 * number as u64 + 10 * which as u64 + time);
                let (point, on_the_way) = (*point, seed.is_multiple_of(3).then(|| ON_THE_WAY[number % 3]));
                rounds.push(Round {
                    name: format!("{}={action}@{time}", point.name()),
                    play: Box::new(move |world| play(world, point, action, time, seed, on_the_way)),
                });
            }
        }
    }
    rounds
}

fn play(world: &mut World, point: FailPoint, action: &str, time: u64, seed: u64, on_the_way: Option<&str>) -> Result<Outcome, String> {
    let mut work = Work::new(seed);
    let orders = format!("{}={action}@{time}", point.name());
    if let Meaning::StopsStart = meaning(point) {
        let mut floe = world.start_without_checkpoints().map_err(|failed| format!("floe does not start: {}", tail(&failed.log)))?;
        work.go(world, &floe.address(), STEPS / 2).map_err(|e| format!("work before: {e}"))?;
        // A journal to do again, whatever the last step was: definitions end in a checkpoint.
        let sql = connect(&floe)?;
        for statement in ["INSERT INTO notes VALUES (-2, 'for a moment')", "DELETE FROM notes WHERE id = -2"] {
            ask(&sql, statement).map_err(|e| format!("{e}\n  in: {statement}"))?;
        }
        floe.kill();
        if let Ok(mut floe) = start(world, &orders) {
            if !action.starts_with("delay") {
                return Err("floe has started".into());
            }
            floe.kill();
        }
        reached(world, point)?;
        recover(world, &mut work, on_the_way)?;
        return Ok(Outcome::Hit);
    }
    let mut floe = start(world, &orders)?;
    let worked = work.go(world, &floe.address(), STEPS);
    let mut at_the_end = || {
        let _ = floe.stop();
    };
    if let Meaning::AtTheEnd = meaning(point) {
        worked.map_err(|e| format!("work: {e}"))?;
        at_the_end();
        reached(world, point)?;
        recover(world, &mut work, on_the_way)?;
        return Ok(Outcome::Hit);
    }
    if worked.is_ok() {
        // Sinks and checkpoints may come to it a little later.
        crate::support::eventually(&orders, Duration::from_secs(5), || reached(world, point));
    }
    reached(world, point)?;
    match (action, meaning(point)) {
        ("kill", _) => {
            floe.ended_within(LIMIT).ok_or("floe is still there")?;
        }
        ("error", Meaning::TriedAgain) | ("error" | "panic", Meaning::NotKept) => {
            worked.map_err(|e| format!("work: {e}"))?;
            finish(world, &mut work, &floe)?;
        }
        ("error", Meaning::StopsStatement) => {
            answered(&worked.err().ok_or("no statement failed")?, &STATES)?;
            finish(world, &mut work, &floe)?;
        }
        ("error" | "panic", Meaning::StopsView) => {
            // A view that has stopped holds a client up that reads it, and nobody else.
            let sql = connect(&floe)?;
            ask(&sql, "SELECT count(*) FROM accounts").map_err(|e| format!("a table is not readable: {e}"))?;
            floe.kill();
            floe = start(world, "")?;
            mend(world, &floe)?;
        }
        ("error", Meaning::StopsAll) | ("panic", Meaning::StopsAll | Meaning::StopsStatement) => {
            if let Err(error) = &worked {
                answered(error, &STATES)?;
            }
            crate::support::eventually("floe stops", LIMIT, || stopped(&floe, &STATES));
        }
        // A sink with a defect stops alone, until the next start.
        ("panic", _) => {
            if let Err(error) = &worked {
                answered(error, &STATES)?;
            }
        }
        _ => {
            worked.map_err(|e| format!("work: {e}"))?;
            finish(world, &mut work, &floe)?;
        }
    }
    floe.kill();
    drop(floe);
    recover(world, &mut work, on_the_way)?;
    Ok(Outcome::Hit)
}

fn reached(world: &World, point: FailPoint) -> Result<(), String> {
    let words = format!("fail point {} is reached", point.name());
    if world.log().contains(&words) { Ok(()) } else { Err(format!("{} was never reached", point.name())) }
}

/// Makes anew what has stopped: a view by dropping it with what reads it, the sink that has a query by dropping it.
fn mend(world: &mut World, floe: &Floe) -> Result<(), String> {
    let sql = connect(floe)?;
    let run = |statement: &str| ask(&sql, statement).map_err(|e| format!("{e}\n  in: {statement}"));
    let revenue = world.definitions().into_iter().find_map(|d| Some(d.strip_prefix("CREATE MATERIALIZED VIEW revenue AS ")?.to_string()));
    let revenue = revenue.ok_or("the world has no revenue")?;
    for (name, query) in VIEWS.into_iter().chain([("revenue", revenue.as_str())]) {
        run(&format!("CREATE MATERIALIZED VIEW IF NOT EXISTS {name} AS {query}"))?;
        if let Err(error) = ask(&sql, &format!("SELECT count(*) FROM {name}")) {
            answered(&error, &STATES)?;
            run(&format!("DROP MATERIALIZED VIEW {name} CASCADE"))?;
            run(&format!("CREATE MATERIALIZED VIEW {name} AS {query}"))?;
        }
    }
    world.sink_again("urls_lake").iter().try_for_each(|statement| run(statement).map(drop))
}
