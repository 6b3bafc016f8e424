//! The definition of a sink as the WITH clause gives it, and the options that every sink has.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::types::{RelationSchema, Report, SqlState};

/// The option that says how often a sink commits.
pub const COMMIT_INTERVAL: &str = "commit_interval";

const DEFAULT_COMMIT_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SinkMode {
    /// Rows are only added; the relation never takes one back.
    AppendOnly,
    /// One row a key.
    Upsert,
}

/// Everything a sink needs to know.
#[derive(Clone)]
pub struct SinkSpec {
    pub name: String,
    /// `iceberg` or `blackhole`.
    pub connector: String,
    /// Drawn once at CREATE SINK and kept in the catalog: names this sink in its target for ever.
    pub sink_id: String,
    /// The WITH options without `connector`, keys in lower case, values as written.
    pub options: BTreeMap<String, String>,
    /// The relation that is written.
    pub schema: RelationSchema,
}

/// The options stay out: they hold secrets.
impl std::fmt::Debug for SinkSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SinkSpec({:?}, {}, {})", self.name, self.connector, self.sink_id)
    }
}

impl SinkSpec {
    /// How long floe collects changes before it commits them; one second unless `commit_interval` says otherwise.
    pub fn commit_interval(&self) -> Result<Duration, Report> {
        match self.options.get(COMMIT_INTERVAL) {
            Some(text) => parse_interval(text),
            None => Ok(DEFAULT_COMMIT_INTERVAL),
        }
    }
}

/// A number and a unit: `500 ms`, `1 s`, `10 seconds`, `2 min`, `1 hour`.
fn parse_interval(text: &str) -> Result<Duration, Report> {
    let wrong = || {
        Report::error(SqlState::INVALID_PARAMETER_VALUE, format!("invalid value for option \"{COMMIT_INTERVAL}\": \"{text}\""))
            .hint("Write a number and a unit, for example '500 ms', '1 s' or '2 min'.")
    };
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
    let millis: u64 = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "ms" | "millisecond" | "milliseconds" => 1,
        "s" | "sec" | "secs" | "second" | "seconds" => 1_000,
        "m" | "min" | "mins" | "minute" | "minutes" => 60_000,
        "h" | "hour" | "hours" => 3_600_000,
        _ => return Err(wrong()),
    };
    match number.checked_mul(millis) {
        Some(total) if (1..=24 * 3_600_000).contains(&total) => Ok(Duration::from_millis(total)),
        _ => Err(wrong().detail("The interval must be longer than nothing and at most one day.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_a_number_and_a_unit() {
        for (text, millis) in [("500 ms", 500), ("1 s", 1000), ("10s", 10_000), (" 2 Minutes ", 120_000), ("24 hours", 86_400_000)] {
            assert_eq!(parse_interval(text).unwrap(), Duration::from_millis(millis), "{text}");
        }
        for text in ["", "1", "s", "0 s", "1 fortnight", "-1 s", "25 hours", "99999999999999999999 s", "18446744073709551615 h"] {
            assert_eq!(parse_interval(text).unwrap_err().sqlstate, SqlState::INVALID_PARAMETER_VALUE, "{text}");
        }
    }
}
