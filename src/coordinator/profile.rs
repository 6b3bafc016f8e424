//! EXPLAIN ANALYZE of what is kept up to date: the circuit as it runs, with what each operator has done since floe started and
//! the state that it holds now.

use std::fmt::Write as _;

use crate::catalog::{Definition, Entry, SinkInput};
use crate::dataflow::profile::{Counts, Line, Profile};
use crate::state::{PageCounts, TraceSet, Usage};
use crate::types::{Report, SqlState};

use super::published::Published;
use super::relation::ROWS;

/// The lines of the answer.
pub fn explain(entry: &Entry, published: &Published, traces: &TraceSet) -> Result<Vec<String>, Report> {
    let profile = published.relations.get(&entry.id).and_then(|relation| relation.profile.as_ref());
    let Some(profile) = profile else { return Err(without(entry)) };
    let mut lines = Vec::new();
    let mut depth = 0;
    if published.relations.get(&entry.id).is_some_and(|relation| relation.rows.is_some()) {
        lines.push(line(0, "Materialize", &profile.kept, traces.usage_of(entry.id, ROWS..ROWS + 1)) + ")");
        depth = 1;
    }
    lines.extend(profile.tree().into_iter().map(|Line { depth: below, operator, again }| match again {
        true => format!("{}{}  (as above)", arrow(depth + below), operator.label),
        false => {
            let others = traces.counted_with(entry.id, operator.slots.clone());
            let names: Vec<&str> = others.iter().filter_map(|id| published.catalog.get(*id)).map(|other| other.name.as_str()).collect();
            let with = if names.is_empty() { String::new() } else { format!(" state kept with {}", names.join(", ")) };
            line(depth + below, &operator.label, &operator.counts, traces.usage_of(entry.id, operator.slots.clone())) + &with + ")"
        }
    }));
    let whole = traces.usage(entry.id);
    lines.push(format!("Time: {}", millis(total(profile))));
    let on_disk = if whole.evicted > 0 { format!(", {} on the disk alone", size(whole.evicted)) } else { String::new() };
    lines.push(format!("State: {} entries, {}{on_disk}", whole.entries, size(whole.bytes)));
    lines.push("Counted since floe was started; the state is that of now.".to_string());
    Ok(lines)
}

fn total(profile: &Profile) -> u64 {
    profile.operators.iter().map(|operator| operator.counts.nanos()).sum::<u64>() + profile.kept.nanos()
}

/// What stands before an operator, as PostgreSQL indents.
fn arrow(depth: usize) -> String {
    if depth == 0 { String::new() } else { format!("{:indent$}->  ", "", indent = depth * 6 - 4) }
}

/// A line without its end.
fn line(depth: usize, label: &str, counts: &Counts, usage: Usage) -> String {
    let mut line =
        format!("{}{label}  (rows in={} out={} time={}", arrow(depth), counts.rows_in(), counts.rows_out(), millis(counts.nanos()));
    let workers = counts.workers();
    if workers.len() > 1 {
        // A text takes what is written.
        let _ = write!(line, " workers={}", workers.iter().map(|nanos| millis(*nanos)).collect::<Vec<_>>().join(", "));
    }
    if usage != Usage::default() {
        // A text takes what is written.
        let _ = write!(line, " state={} entries, {}", usage.entries, size(usage.bytes));
        if usage.evicted > 0 || usage.pages != PageCounts::default() {
            let _ = write!(line, " on disk={} pages found={} read={}", size(usage.evicted), usage.pages.found, usage.pages.read);
        }
    }
    line
}

fn millis(nanos: u64) -> String {
    format!("{}.{:03} ms", nanos / 1_000_000, nanos / 1000 % 1000)
}

fn size(bytes: usize) -> String {
    format!("{} kB", bytes.div_ceil(1024))
}

/// Why there is nothing to tell.
fn without(entry: &Entry) -> Report {
    let report = Report::error(
        SqlState::WRONG_OBJECT_TYPE,
        format!("\"{}\" is a {}: nothing is computed to keep it up to date", entry.name, entry.kind().noun()),
    );
    match &entry.definition {
        Definition::View { .. } => report.hint("explain a materialized view or a sink, or run EXPLAIN ANALYZE SELECT ..."),
        Definition::Sink { input: SinkInput::Relation(_), .. } => report.hint("explain the relation that the sink follows"),
        _ => report.hint("explain a materialized view, or a sink with a query of its own"),
    }
}
