//! The variables that SET, SHOW and RESET know: PostgreSQL's that clients use, and floe's own.
//!
//! Those that mean nothing here are still checked and remembered, since tools read back what they set; a name that is not
//! in the table is an error, and so is a value that PostgreSQL would refuse.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::types::form::Zone;
use crate::types::server_version::{SERVER_VERSION, SERVER_VERSION_NUM};
use crate::types::{Report, SqlState};

/// What values a variable takes.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Boolean,
    Integer {
        min: i64,
        max: i64,
    },
    /// Milliseconds; text with a unit is allowed.
    Duration,
    Zone,
    OneOf(&'static [&'static str]),
    /// The one value that floe has; setting it to another is refused.
    Fixed,
    /// Known and never settable.
    ReadOnly,
    DateStyle,
}

struct Known {
    /// The spelling of SHOW and of the parameter status.
    name: &'static str,
    default: &'static str,
    kind: Kind,
    /// Told to the client at the start and whenever it changes.
    reported: bool,
    description: &'static str,
}

const fn known(name: &'static str, default: &'static str, kind: Kind, description: &'static str) -> Known {
    Known { name, default, kind, reported: false, description }
}

const fn reported(name: &'static str, default: &'static str, kind: Kind, description: &'static str) -> Known {
    Known { name, default, kind, reported: true, description }
}

const ISOLATION: Kind = Kind::OneOf(&["serializable", "repeatable read", "read committed", "read uncommitted", "strict serializable"]);

/// In the order of SHOW ALL.
static KNOWN: &[Known] = &[
    reported("application_name", "", Kind::Text, "The application name that the client gave."),
    known("array_nulls", "on", Kind::Boolean, "Whether NULL in array text is a null."),
    known("backslash_quote", "safe_encoding", Kind::Text, "Accepted for compatibility."),
    known("bytea_output", "hex", Kind::Fixed, "The text form of bytea."),
    known("check_function_bodies", "on", Kind::Boolean, "Accepted for compatibility."),
    reported("client_encoding", "UTF8", Kind::OneOf(&["UTF8", "UTF-8", "UNICODE", "SQL_ASCII"]), "The client's character encoding."),
    known(
        "client_min_messages",
        "notice",
        Kind::OneOf(&["debug5", "debug4", "debug3", "debug2", "debug1", "debug", "log", "notice", "info", "warning", "error"]),
        "The least severe messages that are sent.",
    ),
    reported("DateStyle", "ISO, MDY", Kind::DateStyle, "The text form of dates and times."),
    known("default_table_access_method", "heap", Kind::Text, "Accepted for compatibility."),
    known("default_tablespace", "", Kind::Text, "Accepted for compatibility."),
    known("default_transaction_deferrable", "off", Kind::Boolean, "Accepted for compatibility."),
    known("default_transaction_isolation", "serializable", ISOLATION, "Every transaction is serializable."),
    reported("default_transaction_read_only", "off", Kind::Boolean, "Whether new transactions may only read."),
    known("enable_seqscan", "on", Kind::Boolean, "Accepted for compatibility."),
    known("escape_string_warning", "on", Kind::Boolean, "Accepted for compatibility."),
    known("extra_float_digits", "1", Kind::Integer { min: -15, max: 3 }, "Floats are always shown by their shortest exact digits."),
    known("idle_in_transaction_session_timeout", "0", Kind::Duration, "Accepted for compatibility."),
    known("idle_session_timeout", "0", Kind::Duration, "Accepted for compatibility."),
    reported("in_hot_standby", "off", Kind::ReadOnly, "Never."),
    reported("integer_datetimes", "on", Kind::ReadOnly, "Timestamps are integers in binary form."),
    reported("IntervalStyle", "postgres", Kind::Fixed, "The text form of intervals."),
    known("jit", "off", Kind::Boolean, "Accepted for compatibility."),
    known("keep_checkpoints", "0", Kind::ReadOnly, "How many checkpoints are kept to go back to; a flag of floe serve."),
    known("keep_every", "5min", Kind::ReadOnly, "How far apart kept checkpoints are at least; a flag of floe serve."),
    known("lc_collate", "C", Kind::ReadOnly, "Text is ordered by its bytes."),
    known("lc_ctype", "C.UTF-8", Kind::ReadOnly, "The character classification."),
    known("lc_messages", "C", Kind::Text, "Accepted for compatibility."),
    known("lc_monetary", "C", Kind::Text, "Accepted for compatibility."),
    known("lc_numeric", "C", Kind::Text, "Accepted for compatibility."),
    known("lc_time", "C", Kind::Text, "Accepted for compatibility."),
    known("lock_timeout", "0", Kind::Duration, "Accepted for compatibility: nothing locks."),
    known("max_identifier_length", "63", Kind::ReadOnly, "What PostgreSQL's clients expect."),
    known("max_index_keys", "32", Kind::ReadOnly, "What PostgreSQL's clients expect."),
    known("max_connections", "1000", Kind::ReadOnly, "How many clients are served at once."),
    known("quote_all_identifiers", "off", Kind::Boolean, "Accepted for compatibility."),
    known("role", "none", Kind::Text, "Accepted for compatibility."),
    known("row_security", "on", Kind::Boolean, "Accepted for compatibility."),
    known("search_path", "\"$user\", public", Kind::Text, "The schemas in which names are looked up."),
    reported("server_encoding", "UTF8", Kind::ReadOnly, "The server's character encoding."),
    reported("server_version", SERVER_VERSION, Kind::ReadOnly, "The PostgreSQL version whose manners floe has."),
    known("server_version_num", SERVER_VERSION_NUM, Kind::ReadOnly, "The same as a number."),
    reported("session_authorization", "", Kind::ReadOnly, "The user."),
    reported("is_superuser", "on", Kind::ReadOnly, "Whether the user may do everything."),
    known("ssl", "off", Kind::ReadOnly, "Whether connections may be encrypted."),
    reported("standard_conforming_strings", "on", Kind::Fixed, "Backslashes in '...' are ordinary characters."),
    known("statement_timeout", "0", Kind::Duration, "How long a statement may run; 0 for ever."),
    known("synchronize_seqscans", "on", Kind::Boolean, "Accepted for compatibility."),
    known("synchronous_commit", "on", Kind::Text, "Accepted for compatibility: commits are durable."),
    reported("TimeZone", "UTC", Kind::Zone, "The zone in which timestamptz values are shown and read."),
    known("transaction_isolation", "serializable", ISOLATION, "Every transaction is serializable."),
    known("transaction_read_only", "off", Kind::Boolean, "Whether this transaction may only read."),
    known("transaction_deferrable", "off", Kind::Boolean, "Accepted for compatibility."),
    known("workers", "1", Kind::ReadOnly, "How many threads step circuits, and decode a source's records; ALTER SYSTEM sets it."),
    known("work_mem", "4MB", Kind::Text, "Accepted for compatibility."),
    known("xmloption", "content", Kind::Text, "Accepted for compatibility."),
];

fn find(name: &str) -> Option<&'static Known> {
    let name = match name.to_ascii_lowercase().as_str() {
        "time zone" => "timezone".to_string(),
        "names" => "client_encoding".to_string(),
        other => other.to_string(),
    };
    KNOWN.iter().find(|known| known.name.eq_ignore_ascii_case(&name))
}

fn unknown(name: &str) -> Report {
    Report::error(SqlState::UNDEFINED_OBJECT, format!("unrecognized configuration parameter \"{name}\""))
}

/// A session's variables: the defaults that its login gave, and what it set since.
#[derive(Clone, Debug)]
pub struct Variables {
    /// By lower-case name.
    current: Arc<BTreeMap<String, String>>,
    /// What RESET goes back to.
    initial: Arc<BTreeMap<String, String>>,
    zone: Zone,
}

impl Default for Variables {
    fn default() -> Variables {
        let initial: Arc<BTreeMap<_, _>> = Arc::new(KNOWN.iter().map(|k| (k.name.to_ascii_lowercase(), k.default.to_string())).collect());
        Variables { current: initial.clone(), initial, zone: Zone::utc() }
    }
}

impl Variables {
    /// A start-up parameter: checked like SET, and RESET comes back to it.
    pub fn set_initial(&mut self, name: &str, value: &str) -> Result<(), Report> {
        self.set(name, value)?;
        self.initial = self.current.clone();
        Ok(())
    }

    /// What the server itself decides for this session, such as `session_authorization`.
    pub fn set_fixed(&mut self, name: &str, value: &str) {
        for map in [&mut self.current, &mut self.initial] {
            Arc::make_mut(map).insert(name.to_ascii_lowercase(), value.to_string());
        }
    }

    /// What the whole database has now.
    pub fn note_workers(&mut self, count: usize) {
        let value = count.to_string();
        if self.get("workers") != Some(value.as_str()) {
            self.set_fixed("workers", &value);
        }
    }

    /// What floe was started with.
    pub fn note_keeping(&mut self, most: usize, every: Duration) {
        self.set_fixed("keep_checkpoints", &most.to_string());
        self.set_fixed("keep_every", &shown_duration(every.as_millis().try_into().unwrap_or(u64::MAX)));
    }

    /// Puts back a value that was there before.
    pub fn restore(&mut self, name: &str, value: &str) {
        Arc::make_mut(&mut self.current).insert(name.to_ascii_lowercase(), value.to_string());
        if name.eq_ignore_ascii_case("timezone") {
            self.zone = Zone::parse(value).unwrap_or_else(Zone::utc);
        }
    }

    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Report> {
        let Some(known) = find(name) else {
            // `my.variable`: a custom one, as PostgreSQL allows.
            if name.contains('.') {
                Arc::make_mut(&mut self.current).insert(name.to_ascii_lowercase(), value.to_string());
                return Ok(());
            }
            return Err(unknown(name));
        };
        let value = accept(known, value)?;
        if let Kind::Zone = known.kind {
            self.zone = Zone::parse(&value).ok_or_else(|| invalid(known, &value))?;
        }
        Arc::make_mut(&mut self.current).insert(known.name.to_ascii_lowercase(), value);
        Ok(())
    }

    /// Back to the default.
    pub fn reset(&mut self, name: &str) -> Result<(), Report> {
        let key = match find(name) {
            // It is always the default: tools reset it to be sure.
            Some(Known { name: "session_authorization", .. }) => return Ok(()),
            Some(Known { kind: Kind::ReadOnly, name, .. }) => return Err(read_only(name)),
            Some(known) => known.name.to_ascii_lowercase(),
            None if name.contains('.') => name.to_ascii_lowercase(),
            None => return Err(unknown(name)),
        };
        match self.initial.get(&key).cloned() {
            Some(value) => {
                if key == "timezone" {
                    self.zone = Zone::parse(&value).unwrap_or_else(Zone::utc);
                }
                Arc::make_mut(&mut self.current).insert(key, value);
            }
            None => {
                Arc::make_mut(&mut self.current).remove(&key);
            }
        }
        Ok(())
    }

    pub fn reset_all(&mut self) {
        self.current = self.initial.clone();
        self.zone = Zone::parse(self.get("timezone").unwrap_or("UTC")).unwrap_or_else(Zone::utc);
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.current.get(key).map(String::as_str)
    }

    /// The spelling and the value that SHOW answers.
    pub fn show(&self, name: &str) -> Result<(String, String), Report> {
        let (spelling, key) = match find(name) {
            Some(known) => (known.name.to_string(), known.name.to_ascii_lowercase()),
            None => (name.to_ascii_lowercase(), name.to_ascii_lowercase()),
        };
        let value = self.get(&key).ok_or_else(|| unknown(name))?;
        Ok((spelling, value.to_string()))
    }

    /// Name, value and description of each.
    pub fn all(&self) -> Vec<(String, String, String)> {
        let mut rows: Vec<_> = KNOWN
            .iter()
            .map(|k| {
                let value = self.get(&k.name.to_ascii_lowercase()).unwrap_or(k.default);
                (k.name.to_string(), value.to_string(), k.description.to_string())
            })
            .collect();
        rows.sort_by_key(|(name, ..)| name.to_ascii_lowercase());
        rows
    }

    /// The parameters that the client is told.
    pub fn reported(&self) -> Vec<(String, String)> {
        let value = |k: &Known| self.get(&k.name.to_ascii_lowercase()).unwrap_or(k.default).to_string();
        KNOWN.iter().filter(|k| k.reported).map(|k| (k.name.to_string(), value(k))).collect()
    }

    /// All values by lower-case name.
    pub fn map(&self) -> Arc<BTreeMap<String, String>> {
        self.current.clone()
    }

    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    pub fn statement_timeout(&self) -> Option<Duration> {
        match self.get("statement_timeout").and_then(milliseconds) {
            Some(0) | None => None,
            Some(millis) => Some(Duration::from_millis(millis)),
        }
    }

    pub fn is_on(&self, name: &str) -> bool {
        self.get(name) == Some("on")
    }
}

fn invalid(known: &Known, value: &str) -> Report {
    Report::error(SqlState::INVALID_PARAMETER_VALUE, format!("invalid value for parameter \"{}\": \"{value}\"", known.name))
}

fn read_only(name: &str) -> Report {
    let report = Report::error(SqlState::CANT_CHANGE_RUNTIME_PARAM, format!("parameter \"{name}\" cannot be changed"));
    if name == "workers" { report.hint("ALTER SYSTEM SET workers = n changes it for the whole database") } else { report }
}

/// The value as it is kept, or why it is refused.
fn accept(known: &Known, value: &str) -> Result<String, Report> {
    let value = value.trim();
    match known.kind {
        Kind::Text => Ok(value.to_string()),
        Kind::ReadOnly => Err(read_only(known.name)),
        Kind::Boolean => match value.to_ascii_lowercase().as_str() {
            "on" | "true" | "yes" | "t" | "y" | "1" => Ok("on".to_string()),
            "off" | "false" | "no" | "f" | "n" | "0" => Ok("off".to_string()),
            _ => Err(Report::error(SqlState::INVALID_PARAMETER_VALUE, format!("parameter \"{}\" requires a Boolean value", known.name))),
        },
        Kind::Integer { min, max } => match value.parse::<i64>() {
            Ok(number) if (min..=max).contains(&number) => Ok(number.to_string()),
            Ok(number) => Err(Report::error(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("{number} is outside the valid range for parameter \"{}\" ({min} .. {max})", known.name),
            )),
            Err(_) => Err(invalid(known, value)),
        },
        Kind::Duration => match milliseconds(value) {
            Some(0) => Ok("0".to_string()),
            Some(millis) => Ok(shown_duration(millis)),
            None => Err(invalid(known, value).hint("Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\".")),
        },
        Kind::Zone => match value.to_ascii_lowercase().as_str() {
            "default" | "local" => Ok(known.default.to_string()),
            _ => Zone::parse(value).map(|zone| zone.name().to_string()).ok_or_else(|| invalid(known, value)),
        },
        Kind::OneOf(allowed) => {
            let found = allowed.iter().find(|a| a.eq_ignore_ascii_case(value)).ok_or_else(|| invalid(known, value))?;
            Ok(if found.starts_with("UTF") || *found == "UNICODE" { "UTF8".to_string() } else { (*found).to_string() })
        }
        Kind::Fixed => {
            let same = value.eq_ignore_ascii_case(known.default)
                || (known.default == "on" && matches!(value.to_ascii_lowercase().as_str(), "true" | "1" | "yes"));
            if same {
                return Ok(known.default.to_string());
            }
            Err(Report::unsupported(format!("parameter \"{}\" can only be \"{}\"", known.name, known.default)))
        }
        // The order of day and month matters only for input that is not ISO, which floe does not take.
        Kind::DateStyle => {
            let words: Vec<String> = value.split(',').map(|w| w.trim().to_ascii_lowercase()).collect();
            let order = words.iter().find_map(|w| match w.as_str() {
                "mdy" | "us" => Some("MDY"),
                "dmy" | "euro" | "european" => Some("DMY"),
                "ymd" => Some("YMD"),
                _ => None,
            });
            for word in &words {
                match word.as_str() {
                    "iso" | "mdy" | "us" | "dmy" | "euro" | "european" | "ymd" => {}
                    "sql" | "postgres" | "german" => return Err(Report::unsupported("DateStyle can only be \"ISO\"")),
                    _ => return Err(invalid(known, value)),
                }
            }
            Ok(format!("ISO, {}", order.unwrap_or("MDY")))
        }
    }
}

/// `250`, `250ms`, `1.5s`, `2 min`: in milliseconds.
fn milliseconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    let unit = match text[end..].trim() {
        "us" => 0.001,
        "" | "ms" => 1.0,
        "s" => 1_000.0,
        "min" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        _ => return None,
    };
    let millis = (number * unit).round();
    (millis <= f64::from(i32::MAX)).then_some(millis as u64)
}

/// In the largest unit that is exact, as SHOW gives it.
fn shown_duration(millis: u64) -> String {
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000)] {
        if millis.is_multiple_of(size) {
            return format!("{}{unit}", millis / size);
        }
    }
    format!("{millis}ms")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked_and_shown_as_postgresql_does() {
        for (name, value, shown) in [
            ("statement_timeout", "250", "250ms"),
            ("STATEMENT_TIMEOUT", "1500ms", "1500ms"),
            ("statement_timeout", "2s", "2s"),
            ("statement_timeout", "120 s", "2min"),
            ("timezone", "europe/paris", "Europe/Paris"),
            ("TimeZone", "utc", "UTC"),
            ("TimeZone", "3", "<+03>-03"),
            ("datestyle", "iso, dmy", "ISO, DMY"),
            ("client_encoding", "utf-8", "UTF8"),
            ("names", "unicode", "UTF8"),
            ("jit", "0", "off"),
            ("my.own", "X", "X"),
        ] {
            let mut variables = Variables::default();
            variables.set(name, value).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(variables.show(name).map(|(_, v)| v), Ok(shown.to_string()), "{name}");
        }
    }

    #[test]
    fn refusals() {
        for (name, value, sqlstate, message) in [
            ("nonsense", "1", "42704", "unrecognized configuration parameter \"nonsense\""),
            ("server_version", "16", "55P02", "parameter \"server_version\" cannot be changed"),
            ("timezone", "Mars", "22023", "invalid value for parameter \"TimeZone\": \"Mars\""),
            ("statement_timeout", "soon", "22023", "invalid value for parameter \"statement_timeout\": \"soon\""),
            ("jit", "perhaps", "22023", "parameter \"jit\" requires a Boolean value"),
            ("extra_float_digits", "4", "22023", "4 is outside the valid range for parameter \"extra_float_digits\" (-15 .. 3)"),
            ("bytea_output", "escape", "0A000", "parameter \"bytea_output\" can only be \"hex\""),
        ] {
            let report = Variables::default().set(name, value).expect_err(name);
            assert_eq!((report.sqlstate.0, report.message.as_str()), (sqlstate, message));
        }
        assert_eq!(Variables::default().show("nonsense").expect_err("unknown").sqlstate.0, "42704");
    }

    #[test]
    fn reset_goes_back_to_what_the_login_gave() {
        let mut variables = Variables::default();
        variables.set_initial("timezone", "Asia/Tokyo").expect("a zone");
        variables.set("timezone", "UTC").expect("a zone");
        variables.reset("timezone").expect("known");
        assert_eq!((variables.show("timezone").expect("known").1.as_str(), variables.zone().name()), ("Asia/Tokyo", "Asia/Tokyo"));
        variables.set("statement_timeout", "9").expect("a timeout");
        assert_eq!(variables.statement_timeout(), Some(Duration::from_millis(9)));
        variables.reset_all();
        assert_eq!(variables.statement_timeout(), None);
    }
}
