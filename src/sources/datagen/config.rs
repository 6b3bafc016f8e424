//! The options of the datagen connector.

use crate::sources::error::SourceError;
use crate::sources::gather::Gather;
use crate::sources::options::Options;
use crate::sources::spec::{Format, SourceSpec};
use crate::types::SqlType;

const FIELD_SETTINGS: &[&str] = &["kind", "min", "max", "start", "length"];

/// How one column's values are made.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldKind {
    /// `start`, `start` + 1, ...: the row's number, or the key's with FORMAT DEBEZIUM.
    Sequence { start: i64 },
    /// Between `min` and `max`, both included; in the column's unit.
    Random { min: f64, max: f64, length: usize },
}

#[derive(Clone, Debug)]
pub struct DatagenConfig {
    pub seed: u64,
    pub rows_per_second: f64,
    /// All the rows there are; without end when absent.
    pub rows: Option<i64>,
    pub debezium: bool,
    /// How many keys change with FORMAT DEBEZIUM.
    pub keys: i64,
    pub fields: Vec<FieldKind>,
}

impl DatagenConfig {
    pub fn of(spec: &SourceSpec) -> Result<DatagenConfig, SourceError> {
        let options = Options::of(spec);
        let known = [
            "rows.per.second",
            "number.of.rows",
            "datagen.seed",
            "seed",
            "datagen.keys",
            "datagen.rows.per.second",
            Gather::MAX_RECORD_BYTES,
        ];
        options.only(&known, &["fields."])?;
        for (field, _) in options.under("fields.") {
            let (column, setting) = field.rsplit_once('.').unwrap_or((field, ""));
            let is_column = spec.schema.columns.iter().any(|c| c.name.to_lowercase() == column);
            if !is_column || !FIELD_SETTINGS.contains(&setting) {
                let name = format!("fields.{field}");
                let valid: Vec<String> = spec.schema.columns.iter().flat_map(|c| names(&c.name)).collect();
                return Err(options.unknown(&name, &valid.iter().map(String::as_str).collect::<Vec<_>>()));
            }
        }
        let seed = match options.parsed("datagen.seed", "a whole number")? {
            Some(seed) => seed,
            None => options.parsed("seed", "a whole number")?.unwrap_or(0),
        };
        let rate = if options.get("rows.per.second").is_some() { "rows.per.second" } else { "datagen.rows.per.second" };
        let rows_per_second = options.parsed::<f64>(rate, "a number")?.unwrap_or(10.0);
        if !(rows_per_second > 0.0 && rows_per_second.is_finite()) {
            return Err(options.invalid(rate, "it must be more than 0"));
        }
        let rows = options.parsed::<i64>("number.of.rows", "a whole number")?;
        if rows.is_some_and(|rows| rows < 0) {
            return Err(options.invalid("number.of.rows", "it must not be negative"));
        }
        let keys = options.parsed::<i64>("datagen.keys", "a whole number")?.unwrap_or(1000);
        if keys < 1 {
            return Err(options.invalid("datagen.keys", "it must be more than 0"));
        }
        let keyed = |at| spec.schema.primary_key.first() == Some(&at);
        let fields = spec.schema.columns.iter().enumerate().map(|(at, column)| {
            let prefix = format!("fields.{}", column.name.to_lowercase());
            field(&options, &prefix, &column.sql_type, keyed(at))
        });
        let fields = fields.collect::<Result<Vec<_>, _>>()?;
        Ok(DatagenConfig { seed, rows_per_second, rows, debezium: spec.format == Format::Debezium, keys, fields })
    }
}

fn names(column: &str) -> impl Iterator<Item = String> {
    FIELD_SETTINGS.iter().map(move |setting| format!("fields.{}.{setting}", column.to_lowercase()))
}

/// A column's settings, or what suits its type: the key and times count up, the rest is drawn.
fn field(options: &Options<'_>, prefix: &str, sql_type: &SqlType, is_key: bool) -> Result<FieldKind, SourceError> {
    let counts = is_key || matches!(sql_type, SqlType::Timestamp | SqlType::TimestampTz);
    let kind = options.one_of(&format!("{prefix}.kind"), &["sequence", "random"])?.unwrap_or(if counts { "sequence" } else { "random" });
    let start = options.parsed(&format!("{prefix}.start"), "a whole number")?;
    let (low, high) = match sql_type {
        SqlType::SmallInt => (0.0, 1000.0),
        SqlType::Numeric { precision, scale } => {
            let digits = i32::from(*precision) - i32::from(*scale);
            (0.0, 10f64.powi(digits.clamp(0, 3)) - 10f64.powi(-i32::from(*scale)))
        }
        SqlType::Date => (0.0, 20_000.0),
        SqlType::Real | SqlType::Double => (0.0, 1.0),
        _ => (0.0, 1_000_000.0),
    };
    let min = options.parsed(&format!("{prefix}.min"), "a number")?.unwrap_or(low);
    let max = options.parsed(&format!("{prefix}.max"), "a number")?.unwrap_or(high.max(min));
    if !(min <= max && f64::is_finite(max - min)) {
        return Err(options.invalid(&format!("{prefix}.max"), "it must not be less than min"));
    }
    let length = options.parsed(&format!("{prefix}.length"), "a whole number")?.unwrap_or(10usize).min(1 << 16);
    Ok(if kind == "sequence" { FieldKind::Sequence { start: start.unwrap_or(1) } } else { FieldKind::Random { min, max, length } })
}
