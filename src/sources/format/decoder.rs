//! The decoder of a source: its format with its options, over a change batch.

use super::builder::ChangeBuilder;
use super::debezium::DebeziumDecoder;
use super::placeholder::{self, Placeholder};
use super::plain::PlainDecoder;
use super::record::Record;
use super::sizes::Sizes;
use super::wire::{Unit, Wire};
use crate::sources::error::SourceError;
use crate::sources::options::Options;
use crate::sources::spec::{Format, SourceSpec};
use crate::types::{Projection, RelationSchema, Report, SqlState, SqlType};

/// The options that formats have, beside those of the connector.
pub const PLAIN_OPTIONS: &[&str] = &[TIMESTAMP_UNIT];
pub const DEBEZIUM_OPTIONS: &[&str] = &[DECIMAL_MODE, TIME_MODE, PLACEHOLDER];
/// One for each column: what the numbers count in messages without a schema.
pub const DEBEZIUM_COLUMN_OPTION: &str = "time.unit.";

/// What numbers count in columns of date and time types; without it they are refused.
const TIMESTAMP_UNIT: &str = "timestamp.unit";
/// As in the connector, needed for messages without a schema only: `precise` (default), `string` or `double`.
const DECIMAL_MODE: &str = "decimal.handling.mode";
/// As in the connector, needed for messages without a schema only.
const TIME_MODE: &str = "time.precision.mode";
const PLACEHOLDER: &str = "debezium.unavailable.value.placeholder";

const UNITS: &[&str] = &["seconds", "millis", "micros", "nanos"];
const DECIMAL_MODES: &[&str] = &["precise", "string", "double"];
const TIME_MODES: &[&str] = &["adaptive", "adaptive_time_microseconds", "connect", "isostring", "microseconds", "nanoseconds"];

pub struct Decoder {
    kind: Kind,
    relation: RelationSchema,
    read: Projection,
    /// Of the batch before.
    sizes: Sizes,
}

enum Kind {
    Plain(Box<PlainDecoder>),
    Debezium(Box<DebeziumDecoder>),
}

impl Decoder {
    /// A decoder for those who want all of the rows.
    ///
    /// # Errors
    /// When an option's value is not one the format knows, or a column has a type that no record can hold.
    pub fn new(spec: &SourceSpec) -> Result<Decoder, SourceError> {
        Decoder::reading(spec, &Projection::everything(spec.schema.columns.len()))
    }

    /// A decoder whose batches have what is read. Where rows have a key they are whole: they will be kept.
    pub fn reading(spec: &SourceSpec, read: &Projection) -> Result<Decoder, SourceError> {
        let options = Options::of(spec);
        let relation = &spec.schema;
        let read = match relation.primary_key.is_empty() {
            true => read.clone(),
            false => Projection::everything(relation.columns.len()),
        };
        let kind = match spec.format {
            Format::Plain => {
                let unit = options.one_of(TIMESTAMP_UNIT, UNITS)?.and_then(Unit::of_name);
                Kind::Plain(Box::new(PlainDecoder::new(relation, read.clone(), unit)))
            }
            Format::Debezium => {
                let decimals = options.one_of(DECIMAL_MODE, DECIMAL_MODES)?.unwrap_or("precise");
                let times = options.one_of(TIME_MODE, TIME_MODES)?.unwrap_or("adaptive");
                let mut wires = Vec::with_capacity(relation.columns.len());
                for column in &relation.columns {
                    let unit = options.one_of(&format!("{DEBEZIUM_COLUMN_OPTION}{}", column.name.to_lowercase()), UNITS)?;
                    wires.push(wire_without_schema(&column.sql_type, decimals, times, unit.and_then(Unit::of_name)));
                }
                let placeholder = options.get(PLACEHOLDER).unwrap_or(placeholder::DEFAULT);
                let placeholder = Placeholder::new(placeholder).map_err(|what| options.invalid(PLACEHOLDER, what))?;
                Kind::Debezium(Box::new(DebeziumDecoder::new(relation, read.clone(), wires, placeholder)))
            }
        };
        let decoder = Decoder { kind, relation: relation.clone(), read, sizes: Sizes::default() };
        decoder.builder()?;
        Ok(decoder)
    }

    /// An empty batch of what is read of the source.
    pub fn builder(&self) -> Result<ChangeBuilder, SourceError> {
        ChangeBuilder::new(&self.relation, &self.read).map_err(|(column, sql_type)| {
            Report::error(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!("column \"{column}\" has type {sql_type}, which ENCODE JSON cannot hold"),
            )
            .hint("Declare the column as TEXT or JSONB to keep the value as it is written.")
            .into()
        })
    }

    /// [`Decoder::builder`] for so many bytes of records.
    pub fn builder_for(&self, bytes: usize) -> Result<ChangeBuilder, SourceError> {
        let mut builder = self.builder()?;
        builder.prepare(self.sizes.scaled_to(bytes));
        Ok(builder)
    }

    /// Takes note of what records came to.
    pub fn note(&mut self, sizes: Sizes) {
        self.sizes = sizes;
    }

    /// Appends what the line that begins at `from` says, if it looks as one did before; the line's end. `None` leaves
    /// nothing behind, and the line is for [`Decoder::decode`].
    #[inline]
    pub fn follow_line(&mut self, lines: &[u8], from: usize, builder: &mut ChangeBuilder) -> Option<usize> {
        match &mut self.kind {
            Kind::Plain(plain) => plain.follow_line(lines, from, builder),
            Kind::Debezium(debezium) => debezium.follow_line(lines, from, builder),
        }
    }

    /// Appends what the record says. `Err` is the reason why it is dead; nothing of it is left in the batch then.
    pub fn decode(&mut self, record: &Record<'_>, builder: &mut ChangeBuilder) -> Result<(), String> {
        let decoded = match &mut self.kind {
            Kind::Plain(plain) => plain.decode(record, builder),
            Kind::Debezium(debezium) => debezium.decode(record, builder),
        };
        if decoded.is_err() {
            builder.take_back();
        }
        decoded
    }

    /// Whether a record's headers can say something: who finds them only by looking need not look for others.
    pub fn wants_headers(&self) -> bool {
        matches!(self.kind, Kind::Debezium(_))
    }

    /// Tells how many partitions the source has: with several, a truncate has no place in the order of the other changes.
    pub fn set_partitions(&mut self, count: usize) {
        if let Kind::Debezium(debezium) = &mut self.kind {
            debezium.may_truncate = count <= 1;
        }
    }
}

#[cfg(test)]
impl Decoder {
    /// Reads every record the general way from now on.
    pub fn blind(mut self) -> Decoder {
        match &mut self.kind {
            Kind::Plain(plain) => plain.blind(),
            Kind::Debezium(debezium) => debezium.blind(),
        }
        self
    }
}

/// How a connector with these settings writes a column of this type. A `timestamp(3)` and a `timestamp(6)` look alike in
/// adaptive mode: microseconds are taken, unless the column's own option says otherwise.
fn wire_without_schema(sql_type: &SqlType, decimals: &str, times: &str, unit: Option<Unit>) -> Wire {
    let default_unit = match times {
        "connect" => Unit::Millis,
        "nanoseconds" => Unit::Nanos,
        _ => Unit::Micros,
    };
    match sql_type {
        SqlType::Numeric { scale, .. } if decimals == "precise" => Wire::Decimal { scale: i32::from(*scale) },
        SqlType::Bytea => Wire::Base64,
        SqlType::Json | SqlType::Jsonb => Wire::JsonText,
        SqlType::Date => Wire::Date,
        SqlType::Time => Wire::Time(unit.unwrap_or(default_unit)),
        SqlType::Timestamp | SqlType::TimestampTz => Wire::Timestamp(unit.unwrap_or(default_unit)),
        SqlType::Interval => Wire::Duration(unit.unwrap_or(Unit::Micros)),
        SqlType::Array(item) => Wire::Array(Box::new(wire_without_schema(item, decimals, times, unit))),
        _ => Wire::Plain,
    }
}
