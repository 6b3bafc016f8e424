//! A round: work, something goes wrong on the way, floe is started again, and everything is looked at.

use std::time::Duration;

use crate::audit;
use crate::support::floe::Launch;
use crate::support::{Floe, Sql, SqlError};
use crate::work::{STEPS, Work, ask};
use crate::world::World;

pub const LIMIT: Duration = Duration::from_secs(20);

/// What a round came to, when nothing was wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// What was to happen happened.
    Hit,
    /// Work was over before it could.
    Missed,
}

/// floe on the world as it is; `fail` are the orders of its fail points.
pub fn start(world: &World, fail: &str) -> Result<Floe, String> {
    let launch = Launch { environment: &[("FLOE_FAILPOINTS", fail)], ..Launch::default() };
    world.start(launch).map_err(|failed| format!("floe does not start: {:?}\n{}", failed.status, tail(&failed.log)))
}

pub fn connect(floe: &Floe) -> Result<Sql, String> {
    floe.try_sql().map_err(|e| format!("cannot connect: {e}"))
}

pub fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().rev().take(12).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

/// After the failure: a start, perhaps one that is killed on its way, then an audit, the rest of the work, and all of it.
pub fn recover(world: &mut World, work: &mut Work, kill_on_the_way: Option<&str>) -> Result<(), String> {
    if let Some(point) = kill_on_the_way
        && let Ok(mut floe) = start(world, &format!("{point}=kill"))
    {
        // There was nothing to do again: killed all the same.
        floe.kill();
    }
    let floe = start(world, "")?;
    finish(world, work, &floe)
}

/// On a floe that is at work again: what was acknowledged is there, and the rest of the work leads where it always does.
pub fn finish(world: &mut World, work: &mut Work, floe: &Floe) -> Result<(), String> {
    let sql = connect(floe)?;
    audit::acknowledged(&sql, work).map_err(|e| format!("after the start: {e}"))?;
    work.go(world, &floe.address(), STEPS).map_err(|e| format!("work after the start: {e}"))?;
    audit::complete(&sql, work, world)
}

/// floe has stopped to change anything: it says so to everybody, and still answers queries.
pub fn stopped(floe: &Floe, states: &[&str]) -> Result<(), String> {
    let sql = connect(floe)?;
    let refused = match ask(&sql, "INSERT INTO notes VALUES (-1, 'never')") {
        Ok(_) => return Err("floe takes changes".into()),
        Err(error) => error,
    };
    if !states.contains(&refused.sqlstate.as_str()) || refused.hint.is_none() {
        return Err(format!("the refusal is not clear: {refused}"));
    }
    let rows = ask(&sql, "SELECT count(*) FROM notes WHERE id < 0").map_err(|e| format!("queries are not answered: {e}"))?.rows;
    if rows != [[Some("0".to_string())]] {
        return Err(format!("a refused row can be seen: {rows:?}"));
    }
    match floe.get("/readyz") {
        Some((503, _)) => Ok(()),
        other => Err(format!("/readyz says {other:?}")),
    }
}

/// What a client was told is an answer and not silence.
pub fn answered(error: &SqlError, states: &[&str]) -> Result<(), String> {
    if states.contains(&error.sqlstate.as_str()) { Ok(()) } else { Err(format!("a client was told: {error}")) }
}
