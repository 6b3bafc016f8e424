//! A growing Arrow column of one SQL type. Which values of records become values of that type says `fit`.
//!
//! A value that does not fit is refused with the reason; it never becomes NULL and is never bent. A column can be cut back
//! to an earlier length, so that a record that fails in its fifth column leaves nothing in the first four.
//!
//! A column that nobody reads takes the same values and refuses the same, and keeps none: it is always empty.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int16Array, Int32Array, Int64Array,
    IntervalMonthDayNanoArray, ListArray, NullArray, StringArray, StructArray, Time64MicrosecondArray, TimestampMicrosecondArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Fields, IntervalMonthDayNano};
use arrow::error::ArrowError;

use super::interval;
use super::scalar::{Scalar, items_of};
use crate::types::{Part, SqlType};

use fit::{boolean, date, float, instant, integer, kind, numeric, text_or_bytes, time, timestamp};

pub use fit::Misfit;

mod fit;

enum Values {
    Bool(Vec<bool>),
    I16(Vec<i16>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    I128(Vec<i128>),
    /// Where each value ends, behind a zero.
    Bytes {
        ends: Vec<i32>,
        data: Vec<u8>,
    },
    Interval(Vec<IntervalMonthDayNano>),
    /// The same.
    List {
        ends: Vec<i32>,
        items: Box<Column>,
    },
    /// Fields may be shorter than their struct: what they lack is null.
    Struct(Vec<Column>),
}

/// How much is in a column, and in each field of one that is a struct.
#[derive(Clone, Debug, Default)]
pub struct ColumnSize {
    values: usize,
    bytes: usize,
    fields: Vec<ColumnSize>,
}

pub struct Column {
    sql_type: SqlType,
    /// False for a column that nobody reads.
    kept: bool,
    len: usize,
    nulls: usize,
    /// Which values are not null; kept only while some are.
    valid: Vec<bool>,
    values: Values,
}

impl Column {
    /// `None` for types that no record can hold, such as the system catalogs' own.
    pub fn new(sql_type: &SqlType) -> Option<Column> {
        let values = match sql_type {
            SqlType::Boolean => Values::Bool(Vec::new()),
            SqlType::SmallInt => Values::I16(Vec::new()),
            SqlType::Integer | SqlType::Date => Values::I32(Vec::new()),
            SqlType::BigInt | SqlType::Time | SqlType::Timestamp | SqlType::TimestampTz => Values::I64(Vec::new()),
            SqlType::Real => Values::F32(Vec::new()),
            SqlType::Double => Values::F64(Vec::new()),
            SqlType::Numeric { .. } => Values::I128(Vec::new()),
            SqlType::Text | SqlType::Varchar(_) | SqlType::Uuid | SqlType::Json | SqlType::Jsonb | SqlType::Bytea => {
                Values::Bytes { ends: vec![0], data: Vec::new() }
            }
            SqlType::Interval => Values::Interval(Vec::new()),
            SqlType::Array(item) if !matches!(**item, SqlType::Array(_)) => {
                Values::List { ends: vec![0], items: Box::new(Column::new(item)?) }
            }
            SqlType::Struct(fields) => Values::Struct(fields.iter().map(|field| Column::new(&field.sql_type)).collect::<Option<_>>()?),
            SqlType::Array(_) | SqlType::Oid | SqlType::Name | SqlType::Char | SqlType::Unknown => return None,
        };
        Some(Column { sql_type: sql_type.clone(), kept: true, len: 0, nulls: 0, valid: Vec::new(), values })
    }

    /// A column that keeps what is read of it.
    pub fn read_as(sql_type: &SqlType, part: &Part) -> Option<Column> {
        let mut column = Column::new(sql_type)?;
        match (part, &mut column.values) {
            (Part::Whole, _) => {}
            (Part::Fields(read), Values::Struct(fields)) => {
                fields.iter_mut().enumerate().filter(|(at, _)| !read.contains(at)).for_each(|(_, field)| field.keep_nothing());
            }
            _ => column.keep_nothing(),
        }
        Some(column)
    }

    fn keep_nothing(&mut self) {
        self.kept = false;
        if let Values::Struct(fields) = &mut self.values {
            fields.iter_mut().for_each(Column::keep_nothing);
        }
    }

    /// Whether values are kept.
    pub fn is_kept(&self) -> bool {
        self.kept
    }

    pub fn sql_type(&self) -> &SqlType {
        &self.sql_type
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// An empty column that takes the same values and keeps the same of them.
    pub fn like(&self) -> Column {
        let values = match &self.values {
            Values::Bool(_) => Values::Bool(Vec::new()),
            Values::I16(_) => Values::I16(Vec::new()),
            Values::I32(_) => Values::I32(Vec::new()),
            Values::I64(_) => Values::I64(Vec::new()),
            Values::F32(_) => Values::F32(Vec::new()),
            Values::F64(_) => Values::F64(Vec::new()),
            Values::I128(_) => Values::I128(Vec::new()),
            Values::Bytes { .. } => Values::Bytes { ends: vec![0], data: Vec::new() },
            Values::Interval(_) => Values::Interval(Vec::new()),
            Values::List { items, .. } => Values::List { ends: vec![0], items: Box::new(items.like()) },
            Values::Struct(fields) => Values::Struct(fields.iter().map(Column::like).collect()),
        };
        Column { sql_type: self.sql_type.clone(), kept: self.kept, len: 0, nulls: 0, valid: Vec::new(), values }
    }

    /// What is in it.
    pub fn size(&self) -> ColumnSize {
        let (bytes, fields) = match &self.values {
            Values::Bytes { data, .. } => (data.len(), Vec::new()),
            Values::Struct(fields) => (0, fields.iter().map(Column::size).collect()),
            _ => (0, Vec::new()),
        };
        ColumnSize { values: self.len, bytes, fields }
    }

    /// Makes room for `share` times as much, or somewhat more.
    pub fn reserve(&mut self, size: &ColumnSize, share: f64) {
        let scaled = |size: usize| (size as f64 * share) as usize + 16;
        let values = scaled(size.values);
        if !self.kept || size.values == 0 {
            return;
        }
        match &mut self.values {
            Values::Bool(v) => v.reserve(values),
            Values::I16(v) => v.reserve(values),
            Values::I32(v) => v.reserve(values),
            Values::I64(v) => v.reserve(values),
            Values::F32(v) => v.reserve(values),
            Values::F64(v) => v.reserve(values),
            Values::I128(v) => v.reserve(values),
            Values::Bytes { ends, data } => {
                ends.reserve(values);
                data.reserve(scaled(size.bytes));
            }
            Values::Struct(fields) => fields.iter_mut().zip(&size.fields).for_each(|(field, size)| field.reserve(size, share)),
            Values::Interval(_) | Values::List { .. } => {}
        }
    }

    /// Cuts back to `len` values.
    pub fn truncate(&mut self, len: usize) {
        if let Values::Struct(fields) = &mut self.values {
            fields.iter_mut().for_each(|field| field.truncate(len));
        }
        if len >= self.len() {
            return;
        }
        self.len = len;
        if self.nulls > 0 {
            self.nulls -= self.valid[len..].iter().filter(|valid| !**valid).count();
            self.valid.truncate(if self.nulls > 0 { len } else { 0 });
        }
        match &mut self.values {
            Values::Bool(v) => v.truncate(len),
            Values::I16(v) => v.truncate(len),
            Values::I32(v) => v.truncate(len),
            Values::I64(v) => v.truncate(len),
            Values::F32(v) => v.truncate(len),
            Values::F64(v) => v.truncate(len),
            Values::I128(v) => v.truncate(len),
            Values::Interval(v) => v.truncate(len),
            Values::Struct(_) => {}
            Values::Bytes { ends, data } => {
                ends.truncate(len + 1);
                data.truncate(last(ends) as usize);
            }
            Values::List { ends, items } => {
                ends.truncate(len + 1);
                items.truncate(last(ends) as usize);
            }
        }
    }

    pub fn push_null(&mut self) {
        if !self.kept {
            return;
        }
        match &mut self.values {
            Values::Bool(v) => v.push(false),
            Values::I16(v) => v.push(0),
            Values::I32(v) => v.push(0),
            Values::I64(v) => v.push(0),
            Values::F32(v) => v.push(0.0),
            Values::F64(v) => v.push(0.0),
            Values::I128(v) => v.push(0),
            Values::Interval(v) => v.push(IntervalMonthDayNano::new(0, 0, 0)),
            Values::Struct(_) => {}
            Values::Bytes { ends, .. } | Values::List { ends, .. } => ends.push(last(ends)),
        }
        if self.nulls == 0 {
            self.valid = vec![true; self.len];
        }
        self.valid.push(false);
        self.nulls += 1;
        self.len += 1;
    }

    /// Appends nulls up to that length.
    pub fn fill(&mut self, len: usize) {
        let Some(missing) = len.checked_sub(self.len).filter(|missing| *missing > 0 && self.kept) else { return };
        match &mut self.values {
            Values::Bool(v) => v.resize(len, false),
            Values::I16(v) => v.resize(len, 0),
            Values::I32(v) => v.resize(len, 0),
            Values::I64(v) => v.resize(len, 0),
            Values::F32(v) => v.resize(len, 0.0),
            Values::F64(v) => v.resize(len, 0.0),
            Values::I128(v) => v.resize(len, 0),
            Values::Interval(v) => v.resize(len, IntervalMonthDayNano::new(0, 0, 0)),
            Values::Bytes { ends, .. } | Values::List { ends, .. } => ends.resize(len + 1, last(ends)),
            Values::Struct(_) => {}
        }
        if self.nulls == 0 {
            self.valid = vec![true; self.len];
        }
        self.valid.resize(len, false);
        self.nulls += missing;
        self.len = len;
    }

    /// Counts the value that was just appended.
    #[inline]
    fn appended(&mut self) {
        if !self.kept {
            return self.drop_value();
        }
        self.len += 1;
        if self.nulls > 0 {
            self.valid.push(true);
        }
    }

    /// Forgets the value that was just appended, the only one.
    #[cold]
    fn drop_value(&mut self) {
        match &mut self.values {
            Values::Bool(v) => v.clear(),
            Values::I16(v) => v.clear(),
            Values::I32(v) => v.clear(),
            Values::I64(v) => v.clear(),
            Values::F32(v) => v.clear(),
            Values::F64(v) => v.clear(),
            Values::I128(v) => v.clear(),
            Values::Interval(v) => v.clear(),
            Values::Struct(_) => {}
            Values::Bytes { ends, data } => {
                ends.truncate(1);
                data.clear();
            }
            Values::List { ends, items } => {
                ends.truncate(1);
                items.truncate(0);
            }
        }
    }

    /// A field of a column of structs, as long as the structs before the one under construction.
    ///
    /// # Panics
    /// When there is none: a defect of the caller.
    #[inline]
    pub fn field(&mut self, field: usize) -> &mut Column {
        match &mut self.values {
            Values::Struct(fields) => {
                let column = &mut fields[field];
                if column.len < self.len {
                    column.fill(self.len);
                }
                column
            }
            _ => panic!("a column of {} has no fields", self.sql_type),
        }
    }

    /// Appends a struct whose fields were given their values; those that were not are null.
    #[inline]
    pub fn close_struct(&mut self) {
        if let Values::Struct(_) = &self.values {
            self.appended();
        }
    }

    /// Appends a number that is known to be one of the column's: an integer of its range, microseconds of a timestamp that
    /// floe holds, a decimal's unscaled value. Other columns refuse it.
    #[inline]
    pub fn push_number(&mut self, number: i64) -> Result<(), Misfit> {
        match &mut self.values {
            Values::I64(v) => v.push(number),
            Values::I32(v) => v.push(number.try_into().map_err(|_| "out of range")?),
            Values::I16(v) => v.push(number.try_into().map_err(|_| "out of range")?),
            Values::I128(v) => v.push(number.into()),
            _ => return Err("a number".into()),
        }
        self.appended();
        Ok(())
    }

    /// Appends a text that is known to be one of the column's: it is UTF-8, has no NUL and is not too long.
    #[inline]
    pub fn push_text(&mut self, text: &[u8]) -> Result<(), Misfit> {
        let Values::Bytes { ends, data } = &mut self.values else { return Err("a text".into()) };
        append_bytes(ends, data, text)?;
        self.appended();
        Ok(())
    }

    /// Appends one value. After a refusal the column is as long as before.
    pub fn push(&mut self, value: Scalar<'_>) -> Result<(), Misfit> {
        if matches!(value, Scalar::Null) {
            self.push_null();
            return Ok(());
        }
        match &mut self.values {
            Values::Bool(v) => v.push(boolean(&value)?),
            Values::I16(v) => v.push(integer(&value)?.try_into().map_err(|_| "out of range")?),
            Values::I32(v) if self.sql_type == SqlType::Date => v.push(date(&value)?),
            Values::I32(v) => v.push(integer(&value)?.try_into().map_err(|_| "out of range")?),
            Values::I64(v) => v.push(match self.sql_type {
                SqlType::Time => time(&value)?,
                SqlType::Timestamp => timestamp(&value)?,
                SqlType::TimestampTz => instant(&value)?,
                _ => integer(&value)?,
            }),
            Values::F32(v) => v.push(float(&value, f32::is_finite)?),
            Values::F64(v) => v.push(float(&value, f64::is_finite)?),
            Values::I128(v) => {
                let SqlType::Numeric { precision, scale } = self.sql_type else { return Err("not a number".into()) };
                v.push(numeric(&value, precision, scale)?);
            }
            Values::Interval(v) => v.push(match &value {
                Scalar::Interval(interval) => *interval,
                Scalar::Text(text) => interval::parse(text)?,
                _ => return Err("not an interval".into()),
            }),
            Values::Bytes { ends, data } => {
                append_bytes(ends, data, &text_or_bytes(&self.sql_type, value)?)?;
            }
            Values::Struct(fields) => {
                let Scalar::Fields(values) = value else { return Err(format!("{} where an object is expected", kind(&value)).into()) };
                let pushed = fields.iter_mut().zip(values).try_for_each(|(field, value)| {
                    field.fill(self.len);
                    field.push(value)
                });
                if let Err(misfit) = pushed {
                    fields.iter_mut().for_each(|field| field.truncate(self.len));
                    return Err(misfit);
                }
            }
            Values::List { ends, items } => {
                let before = items.len();
                let pushed = push_items(items, value);
                let end = i32::try_from(items.len()).map_err(|_| Misfit::from("more than 2^31 items in one batch"));
                match pushed.and(end) {
                    Ok(end) => ends.push(end),
                    Err(misfit) => {
                        items.truncate(before);
                        return Err(misfit);
                    }
                }
            }
        }
        self.appended();
        Ok(())
    }

    /// What was pushed, as the type's Arrow array; the column is empty again. One that nobody reads gives `rows` of no type.
    pub fn finish(&mut self, rows: usize) -> Result<ArrayRef, ArrowError> {
        if !self.kept {
            return Ok(Arc::new(NullArray::new(rows)));
        }
        let len = std::mem::take(&mut self.len);
        let valid = std::mem::take(&mut self.valid);
        let nulls = (std::mem::take(&mut self.nulls) > 0).then(|| NullBuffer::from(valid));
        Ok(match &mut self.values {
            Values::Bool(v) => Arc::new(BooleanArray::new(BooleanBuffer::from(std::mem::take(v)), nulls)),
            Values::I16(v) => Arc::new(Int16Array::try_new(take(v), nulls)?),
            Values::I32(v) if self.sql_type == SqlType::Date => Arc::new(Date32Array::try_new(take(v), nulls)?),
            Values::I32(v) => Arc::new(Int32Array::try_new(take(v), nulls)?),
            Values::I64(v) => match self.sql_type {
                SqlType::Time => Arc::new(Time64MicrosecondArray::try_new(take(v), nulls)?) as ArrayRef,
                SqlType::Timestamp => Arc::new(TimestampMicrosecondArray::try_new(take(v), nulls)?),
                SqlType::TimestampTz => {
                    Arc::new(TimestampMicrosecondArray::try_new(take(v), nulls)?.with_timezone(crate::types::sql_type::UTC))
                }
                _ => Arc::new(Int64Array::try_new(take(v), nulls)?),
            },
            Values::F32(v) => Arc::new(Float32Array::try_new(take(v), nulls)?),
            Values::F64(v) => Arc::new(Float64Array::try_new(take(v), nulls)?),
            Values::I128(v) => Arc::new(Decimal128Array::try_new(take(v), nulls)?.with_data_type(self.sql_type.arrow())),
            Values::Interval(v) => Arc::new(IntervalMonthDayNanoArray::try_new(take(v), nulls)?),
            Values::Bytes { ends, data } => {
                let (ends, data) = (offsets(ends), Buffer::from_vec(std::mem::take(data)));
                match self.sql_type {
                    SqlType::Bytea => Arc::new(BinaryArray::try_new(ends, data, nulls)?) as ArrayRef,
                    _ => Arc::new(StringArray::try_new(ends, data, nulls)?),
                }
            }
            Values::Struct(columns) => {
                let DataType::Struct(fields) = self.sql_type.arrow() else {
                    return Err(ArrowError::SchemaError(format!("{} is no struct", self.sql_type)));
                };
                columns.iter_mut().for_each(|column| column.fill(len));
                let fields: Fields = fields
                    .iter()
                    .zip(columns.iter())
                    .map(|(field, column)| match column.kept {
                        true => field.clone(),
                        false => Arc::new(Field::new(field.name(), DataType::Null, true)),
                    })
                    .collect();
                let columns = columns.iter_mut().map(|column| column.finish(len)).collect::<Result<Vec<_>, _>>()?;
                Arc::new(StructArray::try_new_with_length(fields, columns, nulls, len)?)
            }
            Values::List { ends, items } => {
                let field = Arc::new(items.sql_type.field("item"));
                let count = items.len();
                Arc::new(ListArray::try_new(field, offsets(ends), items.finish(count)?, nulls)?)
            }
        })
    }
}

#[inline]
fn append_bytes(ends: &mut Vec<i32>, data: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Misfit> {
    let end = i32::try_from(data.len() + bytes.len()).map_err(|_| "more than 2 GiB in one batch")?;
    data.extend_from_slice(bytes);
    ends.push(end);
    Ok(())
}

fn take<T: arrow::datatypes::ArrowNativeType>(values: &mut Vec<T>) -> ScalarBuffer<T> {
    ScalarBuffer::from(std::mem::take(values))
}

fn offsets(ends: &mut Vec<i32>) -> OffsetBuffer<i32> {
    OffsetBuffer::new(ScalarBuffer::from(std::mem::replace(ends, vec![0])))
}

#[inline]
fn last(ends: &[i32]) -> i32 {
    ends.last().copied().unwrap_or(0)
}

fn push_items(items: &mut Column, value: Scalar<'_>) -> Result<(), Misfit> {
    match value {
        Scalar::List(values) => values.into_iter().try_for_each(|value| items.push(value)),
        Scalar::Json(raw) if raw.starts_with('[') => {
            for item in items_of(&raw)? {
                items.push(Scalar::of_json(item)?)?;
            }
            Ok(())
        }
        _ => Err("not an array".into()),
    }
}

#[cfg(test)]
mod tests;
