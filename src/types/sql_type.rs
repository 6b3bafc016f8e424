//! SQL types, and the two other forms each has: the Arrow type that batches hold and the OID that clients see.
//!
//! Arrow cannot tell `uuid` or `jsonb` from `text`; for those the field carries the SQL name in its metadata under
//! [`SQL_TYPE_KEY`], and [`SqlType::of_field`] reads it back. Everything else follows from the Arrow type alone.

use std::collections::HashMap;
use std::fmt;

use arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};
use serde::{Deserialize, Serialize};

/// Field metadata key for SQL types that share an Arrow type with another.
pub const SQL_TYPE_KEY: &str = "floe.type";

/// The zone of every `timestamptz`: instants are kept in UTC and shown in the session's zone.
pub const UTC: &str = "+00:00";

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SqlType {
    Boolean,
    SmallInt,
    Integer,
    BigInt,
    Real,
    Double,
    /// Exact decimal; precision 1 to 38, scale 0 to 38. `NUMERIC` without either is `NUMERIC(38,10)`.
    Numeric {
        precision: u8,
        scale: i8,
    },
    Text,
    /// `VARCHAR` and `CHAR` are kept as text; the length is checked by casts.
    Varchar(Option<u32>),
    Bytea,
    Date,
    Time,
    /// Microseconds without a zone.
    Timestamp,
    /// Microseconds, an instant.
    TimestampTz,
    Interval,
    Uuid,
    Json,
    Jsonb,
    /// System catalogs' own types.
    Oid,
    Name,
    Char,
    Array(Box<SqlType>),
    /// Named fields in order, PostgreSQL's composite.
    Struct(Vec<StructField>),
    /// A literal without a type yet, as in `SELECT NULL`.
    Unknown,
}

/// One field of a struct; it may be null.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StructField {
    pub name: String,
    pub sql_type: SqlType,
}

impl SqlType {
    pub const NUMERIC: SqlType = SqlType::Numeric { precision: 38, scale: 10 };

    pub fn arrow(&self) -> DataType {
        match self {
            SqlType::Boolean => DataType::Boolean,
            SqlType::SmallInt => DataType::Int16,
            SqlType::Integer => DataType::Int32,
            SqlType::BigInt => DataType::Int64,
            SqlType::Real => DataType::Float32,
            SqlType::Double => DataType::Float64,
            SqlType::Numeric { precision, scale } => DataType::Decimal128(*precision, *scale),
            SqlType::Text | SqlType::Varchar(_) | SqlType::Uuid | SqlType::Json | SqlType::Jsonb | SqlType::Name | SqlType::Char => {
                DataType::Utf8
            }
            SqlType::Bytea => DataType::Binary,
            SqlType::Date => DataType::Date32,
            SqlType::Time => DataType::Time64(TimeUnit::Microsecond),
            SqlType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            SqlType::TimestampTz => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
            SqlType::Interval => DataType::Interval(IntervalUnit::MonthDayNano),
            SqlType::Oid => DataType::UInt32,
            SqlType::Array(element) => DataType::List(std::sync::Arc::new(element.field("item"))),
            SqlType::Struct(fields) => DataType::Struct(fields.iter().map(|field| field.sql_type.field(&field.name)).collect()),
            SqlType::Unknown => DataType::Null,
        }
    }

    /// A nullable Arrow field of this type, with the SQL name kept where Arrow's type does not tell it.
    pub fn field(&self, name: &str) -> Field {
        let field = Field::new(name, self.arrow(), true);
        match self {
            SqlType::Varchar(_) | SqlType::Uuid | SqlType::Json | SqlType::Jsonb | SqlType::Name | SqlType::Char => {
                field.with_metadata(HashMap::from([(SQL_TYPE_KEY.to_string(), self.to_string())]))
            }
            _ => field,
        }
    }

    /// The SQL type of an Arrow field, by its metadata first and its Arrow type else.
    pub fn of_field(field: &Field) -> SqlType {
        match field.metadata().get(SQL_TYPE_KEY).and_then(|name| SqlType::of_text_like(name)) {
            Some(sql_type) => sql_type,
            None => SqlType::of_arrow(field.data_type()),
        }
    }

    fn of_text_like(name: &str) -> Option<SqlType> {
        Some(match name {
            "uuid" => SqlType::Uuid,
            "json" => SqlType::Json,
            "jsonb" => SqlType::Jsonb,
            "name" => SqlType::Name,
            "\"char\"" => SqlType::Char,
            "character varying" => SqlType::Varchar(None),
            _ => SqlType::Varchar(Some(name.strip_prefix("character varying(")?.strip_suffix(')')?.parse().ok()?)),
        })
    }

    /// The SQL type that stands for an Arrow type; types that PostgreSQL lacks go to the nearest one that holds them.
    pub fn of_arrow(data_type: &DataType) -> SqlType {
        match data_type {
            DataType::Boolean => SqlType::Boolean,
            DataType::Int8 | DataType::Int16 | DataType::UInt8 => SqlType::SmallInt,
            DataType::Int32 | DataType::UInt16 => SqlType::Integer,
            DataType::Int64 => SqlType::BigInt,
            DataType::UInt32 => SqlType::Oid,
            DataType::UInt64 => SqlType::Numeric { precision: 20, scale: 0 },
            DataType::Float16 | DataType::Float32 => SqlType::Real,
            DataType::Float64 => SqlType::Double,
            DataType::Decimal32(p, s) | DataType::Decimal64(p, s) | DataType::Decimal128(p, s) => {
                SqlType::Numeric { precision: *p, scale: *s }
            }
            DataType::Decimal256(_, s) => SqlType::Numeric { precision: 38, scale: *s },
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => SqlType::Bytea,
            DataType::Date32 | DataType::Date64 => SqlType::Date,
            DataType::Time32(_) | DataType::Time64(_) => SqlType::Time,
            DataType::Timestamp(_, None) => SqlType::Timestamp,
            DataType::Timestamp(_, Some(_)) => SqlType::TimestampTz,
            DataType::Interval(_) | DataType::Duration(_) => SqlType::Interval,
            DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
                SqlType::Array(Box::new(SqlType::of_field(item)))
            }
            DataType::Struct(fields) => SqlType::Struct(
                fields.iter().map(|field| StructField { name: field.name().clone(), sql_type: SqlType::of_field(field) }).collect(),
            ),
            DataType::Dictionary(_, value) => SqlType::of_arrow(value),
            DataType::Null => SqlType::Unknown,
            _ => SqlType::Text,
        }
    }

    /// The OID of PostgreSQL's `pg_type`.
    pub fn oid(&self) -> u32 {
        match self {
            SqlType::Boolean => 16,
            SqlType::Bytea => 17,
            SqlType::Char => 18,
            SqlType::Name => 19,
            SqlType::BigInt => 20,
            SqlType::SmallInt => 21,
            SqlType::Integer => 23,
            SqlType::Text => 25,
            SqlType::Oid => 26,
            SqlType::Json => 114,
            SqlType::Real => 700,
            SqlType::Double => 701,
            SqlType::Unknown => 705,
            SqlType::Varchar(_) => 1043,
            SqlType::Date => 1082,
            SqlType::Time => 1083,
            SqlType::Timestamp => 1114,
            SqlType::TimestampTz => 1184,
            SqlType::Interval => 1186,
            SqlType::Numeric { .. } => 1700,
            SqlType::Struct(_) => 2249,
            SqlType::Uuid => 2950,
            SqlType::Jsonb => 3802,
            SqlType::Array(element) => match **element {
                SqlType::Boolean => 1000,
                SqlType::Bytea => 1001,
                SqlType::Char => 1002,
                SqlType::Name => 1003,
                SqlType::SmallInt => 1005,
                SqlType::Integer => 1007,
                SqlType::Varchar(_) => 1015,
                SqlType::BigInt => 1016,
                SqlType::Real => 1021,
                SqlType::Double => 1022,
                SqlType::Oid => 1028,
                SqlType::Timestamp => 1115,
                SqlType::Date => 1182,
                SqlType::Time => 1183,
                SqlType::TimestampTz => 1185,
                SqlType::Interval => 1187,
                SqlType::Numeric { .. } => 1231,
                SqlType::Json => 199,
                SqlType::Uuid => 2951,
                SqlType::Jsonb => 3807,
                SqlType::Struct(_) => 2287,
                _ => 1009,
            },
        }
    }

    /// The type of an OID that a client declared for a parameter; `None` for one floe does not know.
    pub fn of_oid(oid: u32) -> Option<SqlType> {
        Some(match oid {
            16 => SqlType::Boolean,
            17 => SqlType::Bytea,
            18 => SqlType::Char,
            19 => SqlType::Name,
            20 => SqlType::BigInt,
            21 => SqlType::SmallInt,
            23 => SqlType::Integer,
            25 => SqlType::Text,
            26 | 2205 | 2206 | 4089 | 24 => SqlType::Oid,
            114 => SqlType::Json,
            700 => SqlType::Real,
            701 => SqlType::Double,
            705 => SqlType::Unknown,
            1042 | 1043 => SqlType::Varchar(None),
            1082 => SqlType::Date,
            1083 => SqlType::Time,
            1114 => SqlType::Timestamp,
            1184 => SqlType::TimestampTz,
            1186 => SqlType::Interval,
            1700 => SqlType::NUMERIC,
            2950 => SqlType::Uuid,
            3802 => SqlType::Jsonb,
            1000 => SqlType::Array(Box::new(SqlType::Boolean)),
            1005 => SqlType::Array(Box::new(SqlType::SmallInt)),
            1007 => SqlType::Array(Box::new(SqlType::Integer)),
            1009 => SqlType::Array(Box::new(SqlType::Text)),
            1015 => SqlType::Array(Box::new(SqlType::Varchar(None))),
            1016 => SqlType::Array(Box::new(SqlType::BigInt)),
            1021 => SqlType::Array(Box::new(SqlType::Real)),
            1022 => SqlType::Array(Box::new(SqlType::Double)),
            1028 => SqlType::Array(Box::new(SqlType::Oid)),
            _ => return None,
        })
    }

    /// PostgreSQL's `typlen`: bytes of the binary form, -1 when it varies.
    pub fn length(&self) -> i16 {
        match self {
            SqlType::Boolean | SqlType::Char => 1,
            SqlType::SmallInt => 2,
            SqlType::Integer | SqlType::Real | SqlType::Date | SqlType::Oid => 4,
            SqlType::BigInt | SqlType::Double | SqlType::Time | SqlType::Timestamp | SqlType::TimestampTz => 8,
            SqlType::Interval | SqlType::Uuid => 16,
            SqlType::Name => 64,
            SqlType::Unknown => -2,
            _ => -1,
        }
    }

    /// PostgreSQL's `atttypmod`: the length of a varchar, precision and scale of a numeric; -1 for none.
    pub fn modifier(&self) -> i32 {
        match self {
            SqlType::Varchar(Some(n)) => *n as i32 + 4,
            SqlType::Numeric { precision, scale } if *self != SqlType::NUMERIC => ((*precision as i32) << 16 | (*scale as i32 & 0x7ff)) + 4,
            _ => -1,
        }
    }
}

/// PostgreSQL's spelling, as `format_type` gives it.
impl fmt::Display for SqlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            SqlType::Boolean => "boolean",
            SqlType::SmallInt => "smallint",
            SqlType::Integer => "integer",
            SqlType::BigInt => "bigint",
            SqlType::Real => "real",
            SqlType::Double => "double precision",
            SqlType::Numeric { precision, scale } => {
                return if *self == SqlType::NUMERIC { f.write_str("numeric") } else { write!(f, "numeric({precision},{scale})") };
            }
            SqlType::Text => "text",
            SqlType::Varchar(None) => "character varying",
            SqlType::Varchar(Some(n)) => return write!(f, "character varying({n})"),
            SqlType::Bytea => "bytea",
            SqlType::Date => "date",
            SqlType::Time => "time without time zone",
            SqlType::Timestamp => "timestamp without time zone",
            SqlType::TimestampTz => "timestamp with time zone",
            SqlType::Interval => "interval",
            SqlType::Uuid => "uuid",
            SqlType::Json => "json",
            SqlType::Jsonb => "jsonb",
            SqlType::Oid => "oid",
            SqlType::Name => "name",
            SqlType::Char => "\"char\"",
            SqlType::Array(element) => return write!(f, "{element}[]"),
            SqlType::Struct(fields) => {
                let field = |field: &StructField| format!("{} {}", field.name, field.sql_type);
                return write!(f, "struct<{}>", fields.iter().map(field).collect::<Vec<_>>().join(", "));
            }
            SqlType::Unknown => "unknown",
        };
        f.write_str(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_comes_back_from_its_field() {
        for sql_type in [
            SqlType::Boolean,
            SqlType::Numeric { precision: 12, scale: 2 },
            SqlType::Varchar(Some(7)),
            SqlType::Varchar(None),
            SqlType::Uuid,
            SqlType::Jsonb,
            SqlType::TimestampTz,
            SqlType::Interval,
            SqlType::Oid,
            SqlType::Array(Box::new(SqlType::Uuid)),
            SqlType::Struct(vec![
                StructField { name: "a".to_string(), sql_type: SqlType::Jsonb },
                StructField { name: "b".to_string(), sql_type: SqlType::Struct(vec![]) },
            ]),
        ] {
            assert_eq!(SqlType::of_field(&sql_type.field("c")), sql_type);
        }
    }

    #[test]
    fn oids_agree_in_both_directions() {
        for oid in [16, 17, 18, 19, 20, 21, 23, 25, 26, 114, 700, 701, 1043, 1082, 1083, 1114, 1184, 1186, 1700, 2950, 3802] {
            assert_eq!(SqlType::of_oid(oid).map(|t| t.oid()), Some(oid));
        }
    }
}
