//! What has to be true after a restart, and at the end of a round; the first thing that is not, in words.

use std::time::{Duration, Instant};

use crate::support::Sql;
use crate::support::client::line;
use crate::support::shop;
use crate::work::{STEPS, Told, Work, ask};
use crate::world::{EXTRA, SINKS, VIEWS, World};

/// How long a sink may take to bring out what is there.
const LAKE: Duration = Duration::from_secs(30);

type Verdict = Result<(), String>;

/// Sorted lines of a query's answer.
fn lines(sql: &Sql, query: &str) -> Result<Vec<String>, String> {
    let answer = ask(sql, query).map_err(|e| format!("{e}\n  in: {query}"))?;
    let mut lines: Vec<String> = answer.rows.iter().map(line).collect();
    lines.sort();
    Ok(lines)
}

fn equal(what: &str, found: &[String], expected: &[String]) -> Verdict {
    if found == expected {
        return Ok(());
    }
    let less = |a: &[String], b: &[String]| a.iter().filter(|line| !b.contains(line)).take(5).cloned().collect::<Vec<_>>();
    Err(format!(
        "{what}: {} rows, {} expected; missing: {:?}; too many: {:?}",
        found.len(),
        expected.len(),
        less(expected, found),
        less(found, expected)
    ))
}

/// Right after a start: what clients were told and shown is there, and nothing that nobody asked for.
pub fn acknowledged(sql: &Sql, work: &mut Work) -> Verdict {
    let settle = |told: &mut Told, table: &str| {
        let found = lines(sql, &format!("SELECT count(*), coalesce(max(id), 0), coalesce(min(id), 1) FROM {table}"))?;
        let Told { acknowledged, tried } = *told;
        let kept = (acknowledged..=tried).find(|n| found == [format!("{n}|{n}|1")]);
        let kept =
            kept.ok_or_else(|| format!("{table}: {acknowledged} rows were acknowledged, {tried} tried; count, max, min: {found:?}"))?;
        *told = Told { acknowledged: kept, tried: kept };
        Ok::<_, String>(())
    };
    settle(&mut work.steps, "ledger")?;
    settle(&mut work.tally, "tally")?;
    tables(sql, work)?;
    let clicks: i64 = lines(sql, "SELECT count(*) FROM clicks")?[0].parse().map_err(|e| format!("{e}"))?;
    if clicks < work.seen.clicks || work.tally.acknowledged < work.seen.tally {
        return Err(format!("a reader saw {:?}; now there are {clicks} clicks, {:?}", work.seen, work.tally));
    }
    let there = lines(sql, &format!("SELECT name FROM (SELECT matviewname AS name FROM pg_matviews) t WHERE name = '{}'", EXTRA.0))?;
    if work.extra.is_some_and(|expected| expected == there.is_empty()) {
        return Err(format!("the definition of {} was acknowledged: {:?}; it is there: {}", EXTRA.0, work.extra, !there.is_empty()));
    }
    work.extra = Some(!there.is_empty());
    Ok(())
}

fn tables(sql: &Sql, work: &Work) -> Verdict {
    let steps = work.steps.acknowledged;
    equal("accounts", &lines(sql, "SELECT * FROM accounts")?, &work.accounts_after(steps))?;
    let mut notes = work.notes_after(steps);
    notes.sort();
    equal("notes", &lines(sql, "SELECT id, split_part(text, 'x', 1), length(text) FROM notes")?, &notes)
}

/// When work is done: every relation is what it has to be, every view equals its query, every lake its relation.
pub fn complete(sql: &Sql, work: &Work, world: &mut World) -> Verdict {
    if work.steps.acknowledged != STEPS {
        return Err(format!("{} of {STEPS} steps are done", work.steps.acknowledged));
    }
    ask(sql, "FLUSH").map_err(|e| format!("FLUSH: {e}"))?;
    tables(sql, work)?;
    equal(
        "clicks",
        &lines(sql, "SELECT count(*), count(DISTINCT user_id), coalesce(max(user_id), 0) FROM clicks")?,
        &[format!("{0}|{0}|{0}", work.clicks)],
    )?;
    equal("revenue", &lines(sql, shop::REVENUE)?, &work.shop.revenue())?;
    for (name, query) in VIEWS.into_iter().chain(work.extra.unwrap_or(false).then_some(EXTRA)) {
        view(sql, name, query)?;
    }
    lakes(sql, world)
}

/// The view and its query, computed at once from the same epoch.
fn view(sql: &Sql, name: &str, query: &str) -> Verdict {
    ask(sql, "BEGIN").map_err(|e| e.to_string())?;
    let compared = lines(sql, &format!("SELECT * FROM {name}")).and_then(|found| equal(name, &found, &lines(sql, query)?));
    ask(sql, "COMMIT").map_err(|e| e.to_string())?;
    compared
}

/// What readers find in the tables of all sinks, once those have brought out what is there.
fn lakes(sql: &Sql, world: &mut World) -> Verdict {
    let begin = Instant::now();
    loop {
        let checked = ask(sql, "CHECKPOINT").map_err(|e| format!("CHECKPOINT: {e}")).and_then(|_| {
            SINKS.into_iter().try_for_each(|(name, _, _, columns, query)| {
                let expected = lines(sql, query)?;
                let found = world.lake(name, columns).map_err(|e| format!("{name}: {e}"))?;
                equal(name, &found, &expected)
            })
        });
        match checked {
            Err(complaint) if begin.elapsed() > LAKE => return Err(complaint),
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
            Ok(()) => return Ok(()),
        }
    }
}
