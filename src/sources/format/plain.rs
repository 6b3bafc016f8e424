//! PLAIN JSON: each record is an object, its fields are the row.
//!
//! A missing field is NULL, an unknown one is passed over. Numbers may stand in quotes. Timestamps, dates and times are
//! texts; numbers only where the option `timestamp.unit` says what they count. Objects and arrays go into TEXT, JSON and
//! JSONB as they are written, arrays of scalars into array columns.
//!
//! Without a primary key every record adds a row. With one it replaces the row of its key, and a Kafka tombstone deletes
//! the row that the record's key names.

use super::builder::ChangeBuilder;
use super::column::Misfit;
use super::connect_schema::Wires;
use super::end::End;
use super::fields::{Fields, Slots};
use super::guide::Guide;
use super::json::{JsonError, Scanner, is_json};
use super::leaf::{Form, Leaf, Place, Reading};
use super::record::{Record, misfit, null_misfit, utf8};
use super::scalar::Scalar;
use super::wire::{Unit, Wire};
use crate::types::{Column, Projection, RelationSchema, SqlType};
use crate::zset::ChangeOp;

pub struct PlainDecoder {
    columns: Vec<Column>,
    primary_key: Vec<usize>,
    guide: Guide,
    fields: Fields,
    key_fields: Fields,
    timestamp_unit: Option<Unit>,
}

#[cfg(test)]
impl PlainDecoder {
    pub fn blind(&mut self) {
        self.guide = Guide::blind();
    }
}

impl PlainDecoder {
    pub fn new(relation: &RelationSchema, read: Projection, timestamp_unit: Option<Unit>) -> PlainDecoder {
        let is_struct = |at: &usize| matches!(relation.columns[*at].sql_type, SqlType::Struct(_));
        // Rows with a key replace each other in the order of their records.
        let structs = match relation.primary_key.is_empty() {
            true => (0..relation.columns.len()).filter(is_struct).collect(),
            false => Vec::new(),
        };
        PlainDecoder {
            columns: relation.columns.clone(),
            primary_key: relation.primary_key.clone(),
            guide: Guide::new(usize::MAX, read, structs),
            fields: Fields::new(relation),
            key_fields: Fields::new(relation),
            timestamp_unit,
        }
    }

    pub fn decode(&mut self, record: &Record<'_>, builder: &mut ChangeBuilder) -> Result<(), String> {
        let Some(value) = record.value else {
            // A tombstone whose key says nothing of the row's key deletes nothing that could be named.
            if self.delete(record, builder).is_err() {
                builder.take_back();
            }
            return Ok(());
        };
        let op = if self.primary_key.is_empty() { ChangeOp::Insert } else { ChangeOp::Upsert };
        let (columns, unit) = (&self.columns, self.timestamp_unit);
        let any = |builder: &mut ChangeBuilder, place, raw: &str, _: Option<&Wires>| push(builder, columns, place, unit, raw).is_ok();
        if self.guide.follow((value, 0, End::At(value.len())), builder, any).is_some() {
            return Ok(());
        }
        let text = utf8(value)?;
        let mut scanner = Scanner::new(text);
        let slots = read_object(&mut self.fields, &mut scanner)?;
        for (at, column) in self.columns.iter().enumerate() {
            let raw = slots.get(at).unwrap_or("null");
            push(builder, &self.columns, at.into(), unit, raw).map_err(|what| misfit(column, &what, raw))?;
            if raw == "null" && self.needs_value(at) {
                return Err(null_misfit(column));
            }
        }
        builder.keep(op);
        if self.guide.is_learning()
            && let Some(leaves) = self.leaves(text)
        {
            self.guide.learn(text, &leaves, op, None, self.columns.len());
        }
        Ok(())
    }

    /// Takes the line that begins at `from`, if it looks as one did before; its end.
    #[inline]
    pub fn follow_line(&mut self, lines: &[u8], from: usize, builder: &mut ChangeBuilder) -> Option<usize> {
        let (columns, unit) = (&self.columns, self.timestamp_unit);
        self.guide.follow((lines, from, End::Newline), builder, |builder, place, raw, _| push(builder, columns, place, unit, raw).is_ok())
    }

    fn needs_value(&self, at: usize) -> bool {
        !self.columns[at].nullable || self.primary_key.contains(&at)
    }

    /// The values of a good record; `None` where one field counts and another of its name does not.
    fn leaves(&self, text: &str) -> Option<Vec<Leaf>> {
        let form = |sql_type: &SqlType| Form::of(sql_type, &numeric_wire(sql_type, self.timestamp_unit));
        let values = self.fields.leaves(&mut Scanner::new(text), |at| {
            let nullable = !self.needs_value(at);
            Reading::Column { place: at.into(), nullable, form: form(&self.columns[at].sql_type) }
        })?;
        // Structs are read field by field.
        let mut leaves = Vec::with_capacity(values.len());
        for leaf in values {
            let Reading::Column { place: Place { column, .. }, .. } = leaf.reading else {
                leaves.push(leaf);
                continue;
            };
            let fields = match &self.columns[column].sql_type {
                SqlType::Struct(fields) if text[leaf.start..].starts_with('{') => {
                    let names = Fields::named(fields.iter().map(|field| field.name.as_str()));
                    names.leaves(&mut Scanner::starting_at(text, leaf.start), |at| {
                        let place = Place { column, field: Some(at) };
                        Reading::Column { place, nullable: true, form: form(&fields[at].sql_type) }
                    })?
                }
                _ => Vec::new(),
            };
            let found = fields.iter().any(|field| matches!(field.reading, Reading::Column { .. }));
            if found { leaves.extend(fields) } else { leaves.push(leaf) }
        }
        Some(leaves)
    }

    fn delete(&mut self, record: &Record<'_>, builder: &mut ChangeBuilder) -> Result<(), String> {
        let (Some(key), false) = (record.key, self.primary_key.is_empty()) else { return Ok(()) };
        let text = utf8(key)?;
        if let ([only], false) = (self.primary_key.as_slice(), text.trim_start().starts_with('{')) {
            let value = if is_json(text) { Scalar::of_json(text.trim())? } else { Scalar::Text(text.into()) };
            if value == Scalar::Null {
                return Err("the key is null".into());
            }
            builder.push(*only, value)?;
        } else {
            let slots = read_key(&mut self.key_fields, text).map_err(|e| e.reason())?;
            for at in &self.primary_key {
                let raw = slots.get(*at).filter(|raw| *raw != "null").ok_or("the key lacks a column")?;
                push(builder, &self.columns, (*at).into(), self.timestamp_unit, raw)?;
            }
        }
        builder.keep(ChangeOp::Delete);
        Ok(())
    }
}

fn push(builder: &mut ChangeBuilder, columns: &[Column], place: Place, unit: Option<Unit>, raw: &str) -> Result<(), Misfit> {
    let sql_type = match (&columns[place.column].sql_type, place.field) {
        (SqlType::Struct(fields), Some(field)) => &fields[field].sql_type,
        (sql_type, _) => sql_type,
    };
    builder.push_at(place, value_of(sql_type, unit, raw)?)
}

/// What a checked JSON text is to a column of the type.
fn value_of<'a>(sql_type: &SqlType, unit: Option<Unit>, raw: &'a str) -> Result<Scalar<'a>, Misfit> {
    Ok(match (sql_type, raw.as_bytes().first()) {
        (SqlType::Json | SqlType::Jsonb, Some(first)) if *first != b'n' => Scalar::Json(raw.into()),
        (_, Some(b'-' | b'0'..=b'9')) if unit.is_some() => numeric_wire(sql_type, unit).read(raw)?,
        (SqlType::Struct(fields), Some(b'{')) => {
            let mut names = Fields::named(fields.iter().map(|field| field.name.as_str()));
            let slots = names.read(&mut Scanner::new(raw)).map_err(|e| e.what)?;
            let values = fields.iter().enumerate().map(|(at, field)| match slots.get(at) {
                Some(raw) => value_of(&field.sql_type, unit, raw).map_err(|what| format!("field \"{}\": {what}", field.name).into()),
                None => Ok(Scalar::Null),
            });
            Scalar::Fields(values.collect::<Result<_, Misfit>>()?)
        }
        _ => Scalar::of_json(raw)?,
    })
}

fn read_object<'a>(fields: &mut Fields, scanner: &mut Scanner<'a>) -> Result<Slots<'a>, String> {
    let slots = fields.read(scanner).map_err(|e| e.reason())?;
    scanner.end().map_err(|e| e.reason())?;
    Ok(slots)
}

/// The key's columns, the object itself or the `payload` beside its schema.
fn read_key<'a>(fields: &mut Fields, text: &'a str) -> Result<Slots<'a>, JsonError> {
    let mut scanner = Scanner::new(text);
    scanner.enter_object()?;
    let mut first = true;
    while let Some(name) = scanner.member(first)? {
        if name == "payload" && scanner.peek() == b'{' {
            return fields.read(&mut scanner);
        }
        scanner.value()?;
        first = false;
    }
    fields.read(&mut Scanner::new(text))
}

fn numeric_wire(sql_type: &SqlType, unit: Option<Unit>) -> Wire {
    match (sql_type, unit) {
        (SqlType::Timestamp | SqlType::TimestampTz, Some(unit)) => Wire::Timestamp(unit),
        (SqlType::Time, Some(unit)) => Wire::Time(unit),
        _ => Wire::Plain,
    }
}
