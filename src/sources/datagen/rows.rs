//! Row number i: its values and, with FORMAT DEBEZIUM, what it does to which key.

use std::borrow::Cow;

use arrow::datatypes::IntervalMonthDayNano;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::config::{DatagenConfig, FieldKind};
use crate::sources::format::scalar::Scalar;
use crate::types::SqlType;
use crate::zset::ChangeOp;

/// 2026-01-01, where made-up times start; a second a row.
const FIRST_MICROS: i64 = 1_767_225_600_000_000;
const STEP_MICROS: i64 = 1_000_000;

/// Random numbers that depend on these three numbers and nothing else.
pub fn rng(seed: u64, row: u64, salt: u64) -> ChaCha8Rng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&row.to_le_bytes());
    bytes[16..24].copy_from_slice(&salt.to_le_bytes());
    ChaCha8Rng::from_seed(bytes)
}

/// What row number `row` does: its operation and the number of its key.
///
/// Rows come in rounds that touch every key once, in an order that differs from round to round. Each key lives through
/// cycles of its own length: inserted, updated some rounds, deleted, and again.
pub fn change(config: &DatagenConfig, row: i64) -> (ChangeOp, i64) {
    if !config.debezium {
        return (ChangeOp::Insert, row);
    }
    let (round, place) = (row / config.keys, row % config.keys);
    let shift = (i128::from(round) * 7919).rem_euclid(i128::from(config.keys)) as i64;
    let key = (place + shift) % config.keys;
    let cycle = 3 + rng(config.seed, key as u64, 1).random_range(0..6i64);
    let op = if round % cycle == cycle - 1 { ChangeOp::Delete } else { ChangeOp::Upsert };
    (op, key)
}

/// The value of a column in row number `row`, whose key is number `key`.
pub fn value(kind: &FieldKind, sql_type: &SqlType, row: i64, key: i64, rng: &mut ChaCha8Rng) -> Scalar<'static> {
    match kind {
        FieldKind::Sequence { start } => sequence(sql_type, start.saturating_add(key), row),
        FieldKind::Random { min, max, length } => random(sql_type, *min, *max, *length, rng),
    }
}

fn number(n: impl std::fmt::Display) -> Scalar<'static> {
    Scalar::Number(Cow::Owned(n.to_string()))
}

fn sequence(sql_type: &SqlType, n: i64, row: i64) -> Scalar<'static> {
    match sql_type {
        SqlType::Timestamp | SqlType::TimestampTz => {
            Scalar::Timestamp(FIRST_MICROS.saturating_add(row.saturating_mul(STEP_MICROS)).clamp(0, i64::MAX / 2))
        }
        SqlType::Date => Scalar::Date(FIRST_MICROS / 86_400_000_000 + n % 100_000),
        SqlType::Time => Scalar::Time(n.rem_euclid(86_400) * 1_000_000),
        SqlType::Interval => Scalar::Interval(IntervalMonthDayNano::new(0, 0, n.saturating_mul(1_000_000_000))),
        SqlType::SmallInt => number(n.rem_euclid(32_768)),
        SqlType::Integer => number(n.rem_euclid(1 << 31)),
        SqlType::Boolean => Scalar::Bool(n % 2 == 0),
        SqlType::Numeric { precision, scale } => {
            let whole = u32::from(*precision) - u32::try_from(*scale).unwrap_or(0).min(u32::from(*precision));
            number(i128::from(n) % 10i128.checked_pow(whole).unwrap_or(i128::MAX))
        }
        SqlType::Uuid => Scalar::Text(Cow::Owned(uuid::Uuid::from_u128(n as u128).to_string())),
        SqlType::Json | SqlType::Jsonb => Scalar::Json(Cow::Owned(n.to_string())),
        SqlType::Bytea => Scalar::Bytes(n.to_be_bytes().to_vec()),
        SqlType::Text | SqlType::Varchar(_) => Scalar::Text(Cow::Owned(n.to_string())),
        SqlType::Array(item) => Scalar::List(vec![sequence(item, n, row)]),
        _ => number(n),
    }
}

fn random(sql_type: &SqlType, min: f64, max: f64, length: usize, rng: &mut ChaCha8Rng) -> Scalar<'static> {
    let mut whole = || rng.random_range(min as i64..=(max as i64).max(min as i64));
    match sql_type {
        SqlType::Boolean => Scalar::Bool(rng.random()),
        SqlType::Real | SqlType::Double => number(rng.random_range(min..=max)),
        SqlType::Numeric { scale, .. } => {
            let unit = 10f64.powi(i32::from(*scale));
            let unscaled = rng.random_range((min * unit) as i128..=((max * unit) as i128).max((min * unit) as i128));
            Scalar::Decimal { unscaled, scale: i32::from(*scale) }
        }
        SqlType::Date => Scalar::Date(whole()),
        SqlType::Time => Scalar::Time(rng.random_range(0..86_400i64) * 1_000_000),
        SqlType::Timestamp | SqlType::TimestampTz => Scalar::Timestamp(FIRST_MICROS + whole().clamp(0, 1 << 40) * STEP_MICROS),
        SqlType::Interval => Scalar::Interval(IntervalMonthDayNano::new(0, 0, whole().saturating_mul(1_000_000_000))),
        SqlType::Uuid => Scalar::Text(Cow::Owned(uuid::Builder::from_random_bytes(rng.random()).into_uuid().to_string())),
        SqlType::Json | SqlType::Jsonb => Scalar::Json(Cow::Owned(format!("{{\"n\": {}}}", whole()))),
        SqlType::Bytea => Scalar::Bytes((0..length).map(|_| rng.random()).collect()),
        SqlType::Varchar(Some(limit)) => letters(length.min(*limit as usize), rng),
        SqlType::Text | SqlType::Varchar(None) => letters(length, rng),
        SqlType::Array(item) => {
            let items = rng.random_range(0..4usize);
            Scalar::List((0..items).map(|_| random(item, min, max, length, rng)).collect())
        }
        _ => number(whole()),
    }
}

fn letters(length: usize, rng: &mut ChaCha8Rng) -> Scalar<'static> {
    Scalar::Text(Cow::Owned((0..length).map(|_| char::from(b'a' + rng.random_range(0..26u8))).collect()))
}
