//! The schema that Kafka Connect's JSON converter puts into every message, and what it says of each column.
//!
//! A schema is the largest part of a message and the same message after message: it is parsed once and known again by
//! its bytes.

use std::sync::Arc;

use serde_json::Value;

use super::fields::Fields;
use super::json::Scanner;
use super::wire::{Unit, Wire};

/// For each column of the relation how its field is written; `None` when the schema has no such field.
pub type Wires = Vec<Option<Wire>>;

/// The schemas seen last, newest first.
#[derive(Default)]
pub struct SchemaCache {
    seen: Vec<(Box<str>, Arc<Wires>)>,
}

impl SchemaCache {
    /// More than the schemas that one topic has at once, even while a change of schema is under way.
    const KEPT: usize = 8;

    /// What the schema that comes next says of the columns. A known one is recognised by its text, without reading it.
    pub fn read(&mut self, scanner: &mut Scanner<'_>, fields: &Fields, columns: usize) -> Result<Arc<Wires>, String> {
        if let Some(at) = self.seen.iter().position(|(text, _)| scanner.value_seen_before(text)) {
            self.seen[..=at].rotate_right(1);
        } else {
            let text = scanner.value().map_err(|e| e.reason())?;
            let wires = parse(text, fields, columns)?;
            self.seen.truncate(Self::KEPT - 1);
            self.seen.insert(0, (text.into(), Arc::new(wires)));
        }
        Ok(self.seen[0].1.clone())
    }
}

/// The schema of a row, or of an envelope whose `after` and `before` are such rows.
fn parse(text: &str, fields: &Fields, columns: usize) -> Result<Wires, String> {
    let schema: Value = serde_json::from_str(text).map_err(|e| format!("the message's schema is not understood: {e}"))?;
    let members = |schema: &Value| schema.get("fields").and_then(Value::as_array).cloned().unwrap_or_default();
    let named = |rows: &[Value], name: &str| rows.iter().find(|f| f.get("field").and_then(Value::as_str) == Some(name)).cloned();
    let mut row = members(&schema);
    if named(&row, "op").is_some()
        && let Some(inner) = named(&row, "after").or_else(|| named(&row, "before"))
    {
        row = members(&inner);
    }
    let mut wires: Wires = vec![None; columns];
    let mut exact = vec![false; columns];
    for field in &row {
        let Some(found) = field.get("field").and_then(Value::as_str).and_then(|name| fields.find(name)) else { continue };
        if found.exact || !exact[found.column] {
            wires[found.column] = Some(wire_of(field));
            exact[found.column] = found.exact;
        }
    }
    Ok(wires)
}

fn wire_of(field: &Value) -> Wire {
    let text = |key: &str| field.get(key).and_then(Value::as_str);
    let parameter = |key: &str| match field.get("parameters").and_then(|p| p.get(key)) {
        Some(Value::String(number)) => number.parse::<i32>().ok(),
        Some(number) => number.as_i64().and_then(|n| i32::try_from(n).ok()),
        None => None,
    };
    match text("name") {
        Some("org.apache.kafka.connect.data.Decimal") => match parameter("scale") {
            Some(scale) => Wire::Decimal { scale },
            None => Wire::Unknown("org.apache.kafka.connect.data.Decimal without a scale".into()),
        },
        Some("io.debezium.data.VariableScaleDecimal") => Wire::Decimal { scale: 0 },
        Some("io.debezium.time.Date" | "org.apache.kafka.connect.data.Date") => Wire::Date,
        Some("io.debezium.time.Time" | "org.apache.kafka.connect.data.Time") => Wire::Time(Unit::Millis),
        Some("io.debezium.time.MicroTime") => Wire::Time(Unit::Micros),
        Some("io.debezium.time.NanoTime") => Wire::Time(Unit::Nanos),
        Some("io.debezium.time.Timestamp" | "org.apache.kafka.connect.data.Timestamp") => Wire::Timestamp(Unit::Millis),
        Some("io.debezium.time.MicroTimestamp") => Wire::Timestamp(Unit::Micros),
        Some("io.debezium.time.NanoTimestamp") => Wire::Timestamp(Unit::Nanos),
        Some("io.debezium.time.MicroDuration") => Wire::Duration(Unit::Micros),
        Some("io.debezium.time.NanoDuration") => Wire::Duration(Unit::Nanos),
        Some("io.debezium.data.Json") => Wire::JsonText,
        Some("io.debezium.data.Bits") => Wire::Bits { length: parameter("length").and_then(|n| usize::try_from(n).ok()).unwrap_or(0) },
        // A year is the number it is.
        Some("io.debezium.time.Year") => Wire::Plain,
        name => match (text("type"), name) {
            (Some("bytes"), None) => Wire::Base64,
            (Some("array"), _) => Wire::Array(Box::new(field.get("items").map_or(Wire::Plain, wire_of))),
            (Some("int8" | "int16" | "int32" | "int64" | "float" | "double" | "bytes"), Some(name)) => Wire::Unknown(name.into()),
            // Texts of any name mean what they say: enums, UUIDs, XML, zoned times, ISO times.
            _ => Wire::Plain,
        },
    }
}
