//! Debezium's change events in JSON: what its PostgreSQL connector ships, with its default settings and with others.
//!
//! 1. The envelope is read in one pass: `schema`, then from the payload (or the message itself, when it comes without
//!    schema) `op` and the texts of the wanted fields of `before` and `after`.
//! 2. `c`, `r` and `u` replace the row of the key in `after`. `before` is not asked for: with PostgreSQL's default replica
//!    identity it is not there. `d` deletes the key that `before` or the record's key names. `t` empties the relation.
//!    Tombstones and messages (`m`) change nothing.
//! 3. A value is read as the schema in the message says; without one as the column's type and the options say.
//! 4. A large column that an update left alone comes as a placeholder: it becomes a mark, never a value. †
//! 5. A column that the record has no field for is an error, not NULL: Debezium writes every column, so it was dropped
//!    or renamed at its origin.
//!
//! † Also when the key changed in the same update. The headers `__debezium.oldkey` and `__debezium.newkey` say under which
//!   key the value is, and become the change's `moved_keys`.

use std::sync::Arc;

use super::builder::ChangeBuilder;
use super::connect_schema::{SchemaCache, Wires};
use super::end::End;
use super::fields::{Fields, Slots};
use super::guide::Guide;
use super::json::{JsonError, Scanner};
use super::leaves;
use super::placeholder::Placeholder;
use super::record::{Record, misfit, null_misfit, utf8};
use super::scalar::Scalar;
use super::wire::Wire;
use crate::types::{Column, Projection, RelationSchema, SqlType};
use crate::zset::ChangeOp;

pub struct DebeziumDecoder {
    columns: Vec<Column>,
    primary_key: Vec<usize>,
    guide: Guide,
    fields: Fields,
    key_fields: Fields,
    schemas: SchemaCache,
    key_schemas: SchemaCache,
    /// How values are written in messages that bring no schema.
    without_schema: Arc<Wires>,
    placeholder: Placeholder,
    /// False when the source has several partitions: then a truncate has no place in the order of the other changes.
    pub may_truncate: bool,
}

/// The parts of one message.
#[derive(Default)]
struct Envelope<'a> {
    wires: Option<Arc<Wires>>,
    op: Option<&'a str>,
    before: Option<Slots<'a>>,
    after: Option<Slots<'a>>,
}

#[cfg(test)]
impl DebeziumDecoder {
    pub fn blind(&mut self) {
        self.guide = Guide::blind();
    }
}

impl DebeziumDecoder {
    pub fn new(relation: &RelationSchema, read: Projection, without_schema: Vec<Wire>, placeholder: Placeholder) -> DebeziumDecoder {
        DebeziumDecoder {
            columns: relation.columns.clone(),
            primary_key: relation.primary_key.clone(),
            guide: Guide::new(placeholder.shortest().saturating_sub(3), read, Vec::new()),
            fields: Fields::new(relation),
            key_fields: Fields::new(relation),
            schemas: SchemaCache::default(),
            key_schemas: SchemaCache::default(),
            without_schema: Arc::new(without_schema.into_iter().map(Some).collect()),
            placeholder,
            may_truncate: true,
        }
    }

    pub fn decode(&mut self, record: &Record<'_>, builder: &mut ChangeBuilder) -> Result<(), String> {
        let Some(value) = record.value else { return Ok(()) };
        let stays = record.old_key.is_none() && record.new_key.is_none();
        if stays && self.follow((value, 0, End::At(value.len())), builder).is_some() {
            return Ok(());
        }
        let text = utf8(value)?;
        if text.trim() == "null" {
            return Ok(());
        }
        let mut scanner = Scanner::new(text);
        let mut envelope = Envelope::default();
        self.read_envelope(&mut scanner, &mut envelope, true)?;
        scanner.end().map_err(|e| e.reason())?;
        let wires = envelope.wires.take().unwrap_or_else(|| self.without_schema.clone());
        match envelope.op {
            Some("\"c\"" | "\"r\"" | "\"u\"") => {
                let after = envelope.after.ok_or("not a Debezium change event: an insert or update without \"after\"")?;
                self.upsert(&after, &wires, record.old_key, builder)?;
                self.learn(text, wires, ChangeOp::Upsert);
                Ok(())
            }
            Some("\"d\"") => {
                self.delete(envelope.before.as_ref(), &wires, record, builder)?;
                // A key that only the record's own key has is not a part of the message.
                let names_row = |row: &Slots<'_>| self.primary_key.iter().all(|at| row.get(*at).is_some_and(|raw| raw != "null"));
                if envelope.before.as_ref().is_some_and(names_row) {
                    self.learn(text, wires, ChangeOp::Delete);
                }
                Ok(())
            }
            Some("\"t\"") if !self.may_truncate => {
                Err("a truncate in a source of several partitions has no place in the order of the other changes".into())
            }
            Some("\"t\"") => {
                builder.keep(ChangeOp::Truncate);
                Ok(())
            }
            Some("\"m\"") => Ok(()),
            Some(other) => Err(format!("not a Debezium change event: unknown \"op\" {}", other.chars().take(20).collect::<String>())),
            None => {
                Err("not a Debezium change event: no \"op\" (flattened records, as ExtractNewRecordState makes them, are FORMAT PLAIN)"
                    .into())
            }
        }
    }

    /// Takes a change that brings a row or takes one, if it looks as one did before.
    fn follow(&mut self, record: (&[u8], usize, End), builder: &mut ChangeBuilder) -> Option<usize> {
        let (columns, primary_key, placeholder) = (&self.columns, &self.primary_key, &self.placeholder);
        self.guide.follow(record, builder, |builder, place, raw, wires| {
            let at = place.column;
            let Some(wire) = wires.and_then(|wires| wires.get(at)?.as_ref()) else { return false };
            if !placeholder.is(raw) {
                return push(builder, at, &columns[at], wire, raw).is_ok();
            }
            builder.push_unchanged(at);
            // In the key it is for the general way to refuse.
            !primary_key.contains(&at)
        })
    }

    /// Takes the line that begins at `from`, a message's value by itself, if it looks as one did before; its end.
    pub fn follow_line(&mut self, lines: &[u8], from: usize, builder: &mut ChangeBuilder) -> Option<usize> {
        self.follow((lines, from, End::Newline), builder)
    }

    /// Remembers the form of a good change.
    fn learn(&mut self, text: &str, wires: Arc<Wires>, op: ChangeOp) {
        if self.guide.is_learning()
            && let Some(leaves) = leaves::of_change(text, &wires, op, &self.columns, &self.primary_key, &self.fields)
        {
            self.guide.learn(text, &leaves, op, Some(wires), self.columns.len());
        }
    }

    fn read_envelope<'a>(&mut self, scanner: &mut Scanner<'a>, envelope: &mut Envelope<'a>, top: bool) -> Result<(), String> {
        let json = |e: JsonError| e.reason();
        scanner.enter_object().map_err(json)?;
        let mut first = true;
        while let Some(name) = scanner.member(first).map_err(json)? {
            first = false;
            match (name, scanner.peek()) {
                ("schema", b'{') if top => {
                    envelope.wires = Some(self.schemas.read(scanner, &self.fields, self.columns.len())?);
                }
                ("payload", b'{') if top => self.read_envelope(scanner, envelope, false)?,
                ("before", b'{') => envelope.before = Some(self.fields.read(scanner).map_err(json)?),
                ("after", b'{') => envelope.after = Some(self.fields.read(scanner).map_err(json)?),
                ("op", _) => envelope.op = Some(scanner.value().map_err(json)?),
                _ => {
                    scanner.value().map_err(json)?;
                }
            }
        }
        Ok(())
    }

    fn upsert(&mut self, row: &Slots<'_>, wires: &Wires, old_key: Option<&[u8]>, builder: &mut ChangeBuilder) -> Result<(), String> {
        for (at, column) in self.columns.iter().enumerate() {
            let (Some(wire), Some(raw)) = (wires.get(at).and_then(Option::as_ref), row.get(at)) else {
                return Err(format!("column \"{}\" ({}) is no longer in the record", column.name, column.sql_type));
            };
            let is_key = self.primary_key.contains(&at);
            if self.placeholder.is(raw) {
                if is_key {
                    return Err(misfit(column, "the placeholder of an unavailable value in the key", raw));
                }
                builder.push_unchanged(at);
                continue;
            }
            if raw == "null" && (is_key || !column.nullable) {
                return Err(null_misfit(column));
            }
            push(builder, at, column, wire, raw)?;
        }
        if let Some(old_key) = old_key {
            self.push_moved(old_key, wires, builder)?;
        }
        builder.keep(ChangeOp::Upsert);
        Ok(())
    }

    fn delete(
        &mut self,
        before: Option<&Slots<'_>>,
        wires: &Wires,
        record: &Record<'_>,
        builder: &mut ChangeBuilder,
    ) -> Result<(), String> {
        let key_text = record.key.map(utf8).transpose()?;
        let mut key = None;
        for at in self.primary_key.clone() {
            let column = &self.columns[at];
            if let (Some(raw), Some(wire)) = (before.and_then(|row| row.get(at)), wires.get(at).and_then(Option::as_ref))
                && raw != "null"
            {
                push(builder, at, column, wire, raw)?;
                continue;
            }
            if key.is_none()
                && let Some(text) = key_text
            {
                key = Some(read_key(&mut self.key_schemas, &mut self.key_fields, &self.without_schema, text)?);
            }
            match &key {
                Some((slots, wires)) => match (slots.get(at), wires.get(at).and_then(Option::as_ref)) {
                    (Some(raw), Some(wire)) if raw != "null" => push(builder, at, column, wire, raw)?,
                    _ => return Err(null_misfit(column)),
                },
                None => return Err(format!("a delete without \"before\" and without a key for column \"{}\"", column.name)),
            }
        }
        if let Some(new_key) = record.new_key {
            self.push_moved(new_key, wires, builder)?;
        }
        builder.keep(ChangeOp::Delete);
        Ok(())
    }

    /// The other key of a key change, from its header: an object of the key's columns, written as in the message.
    fn push_moved(&mut self, header: &[u8], wires: &Wires, builder: &mut ChangeBuilder) -> Result<(), String> {
        let text = utf8(header)?;
        let fallback = Arc::new(wires.clone());
        let (slots, wires) = read_key(&mut self.key_schemas, &mut self.key_fields, &fallback, text)
            .map_err(|reason| format!("the header of a key change: {reason}"))?;
        for (position, at) in self.primary_key.iter().enumerate() {
            let column = &self.columns[*at];
            let (Some(raw), Some(wire)) = (slots.get(*at).filter(|raw| *raw != "null"), wires.get(*at).and_then(Option::as_ref)) else {
                return Err(format!("the header of a key change has no value for column \"{}\"", column.name));
            };
            let value = wire.read(raw).map_err(|what| misfit(column, &what, raw))?;
            builder.push_moved(position, value).map_err(|what| misfit(column, &what, raw))?;
        }
        Ok(())
    }
}

/// The columns of a key: `{"id":1}`, alone or as the payload beside its schema.
fn read_key<'a>(
    schemas: &mut SchemaCache,
    fields: &mut Fields,
    without_schema: &Arc<Wires>,
    text: &'a str,
) -> Result<(Slots<'a>, Arc<Wires>), String> {
    let json = |e: JsonError| e.reason();
    let mut scanner = Scanner::new(text);
    scanner.enter_object().map_err(json)?;
    let (mut wires, mut payload) = (None, None);
    let mut first = true;
    let columns = without_schema.len();
    while let Some(name) = scanner.member(first).map_err(json)? {
        first = false;
        match (name, scanner.peek()) {
            ("schema", b'{') => wires = Some(schemas.read(&mut scanner, fields, columns)?),
            ("payload", b'{') => payload = Some(fields.read(&mut scanner).map_err(json)?),
            _ => {
                scanner.value().map_err(json)?;
            }
        }
    }
    scanner.end().map_err(json)?;
    match payload {
        Some(slots) => Ok((slots, wires.unwrap_or_else(|| without_schema.clone()))),
        None => Ok((fields.read(&mut Scanner::new(text)).map_err(json)?, without_schema.clone())),
    }
}

fn push(builder: &mut ChangeBuilder, at: usize, column: &Column, wire: &Wire, raw: &str) -> Result<(), String> {
    // JSON columns hold JSON: a text with no semantic name is the JSON's text, as PostgreSQL's own columns come.
    let value = match (wire, &column.sql_type) {
        (Wire::Plain, SqlType::Json | SqlType::Jsonb) => Wire::JsonText.read(raw),
        _ => wire.read(raw),
    };
    let pushed = value.and_then(|value: Scalar<'_>| builder.push(at, value));
    pushed.map_err(|what| misfit(column, &what, raw))
}
