//! Tables: one statement's rows become a change of the table, checked against its key and its NOT NULL columns; and a
//! transaction's change is checked once more against the table as it is when the transaction commits.

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use hashbrown::HashMap;

use crate::catalog::Entry;
use crate::dataflow::Materialized;
use crate::sql::statement::OnConflict;
use crate::state::Matches;
use crate::types::{Report, SqlState};
use crate::zset::{Delta, RowCodec, ZSet};

/// What a statement does to a table; rows have the table's schema.
#[derive(Clone, Debug)]
pub enum RowChange {
    Insert {
        rows: RecordBatch,
        on_conflict: OnConflict,
    },
    /// Row by row: `old` goes, `new` comes.
    Update {
        old: RecordBatch,
        new: RecordBatch,
    },
    Delete {
        rows: RecordBatch,
    },
}

/// A statement's change of a table, and the number of rows that it touched.
pub struct Edit {
    pub delta: Delta,
    pub touched: usize,
}

/// Turns a statement's rows into the table's change. `before` is what the transaction has done to the table already.
///
/// # Errors
/// 23502 and 23505, worded as PostgreSQL words them.
pub fn edit(entry: &Entry, table: &Materialized, before: &Delta, change: &RowChange) -> Result<Edit, Report> {
    match change {
        RowChange::Insert { rows, on_conflict } => insert(entry, table, before, None, rows, *on_conflict),
        RowChange::Update { old, new } => insert(entry, table, before, Some(old), new, OnConflict::Error),
        RowChange::Delete { rows } => Ok(Edit { delta: Delta(ZSet::of_rows(rows.clone()).negate()), touched: rows.num_rows() }),
    }
}

fn insert(
    entry: &Entry,
    table: &Materialized,
    before: &Delta,
    old: Option<&RecordBatch>,
    new: &RecordBatch,
    on_conflict: OnConflict,
) -> Result<Edit, Report> {
    check_nulls(entry, new)?;
    let mut parts: Vec<ZSet> = old.map(|old| ZSet::of_rows(old.clone()).negate()).into_iter().collect();
    if entry.schema.primary_key.is_empty() {
        parts.push(ZSet::of_rows(new.clone()));
        return finish(entry, &parts, new.num_rows());
    }
    let codec = key_codec(entry)?;
    let keys = key_columns(entry, new);
    let mut current = rows_by_key(entry, &codec, table, before, &keys)?;
    if let Some(old) = old {
        for key in codec.encode(&key_columns(entry, old)).map_err(Report::internal)?.iter() {
            current.insert(key.as_ref().into(), None);
        }
    }
    let mut weights = vec![1i64; new.num_rows()];
    let mut touched = new.num_rows();
    for (row, key) in codec.encode(&keys).map_err(Report::internal)?.iter().enumerate() {
        let place = current.entry(key.as_ref().into()).or_insert(None);
        match (&*place, on_conflict) {
            (Some(_), OnConflict::Error) => return Err(duplicate(entry, &keys, row)),
            (Some(_), OnConflict::DoNothing) => {
                weights[row] = 0;
                touched -= 1;
                continue;
            }
            (Some(there), OnConflict::Overwrite) => parts.push(ZSet::of_rows(there.clone()).negate()),
            (None, _) => {}
        }
        *place = Some(new.slice(row, 1));
    }
    parts.push(ZSet::new(new.clone(), Int64Array::from(weights)));
    finish(entry, &parts, touched)
}

fn finish(entry: &Entry, parts: &[ZSet], touched: usize) -> Result<Edit, Report> {
    let sum = ZSet::concat(&entry.schema.arrow(), parts).and_then(|z| z.consolidate()).map_err(Report::internal)?;
    Ok(Edit { delta: Delta(sum), touched })
}

fn check_nulls(entry: &Entry, rows: &RecordBatch) -> Result<(), Report> {
    for (index, column) in entry.schema.columns.iter().enumerate() {
        let required = !column.nullable || entry.schema.primary_key.contains(&index);
        if required && rows.column(index).null_count() > 0 {
            return Err(Report::error(
                SqlState::NOT_NULL_VIOLATION,
                format!("null value in column \"{}\" of relation \"{}\" violates not-null constraint", column.name, entry.name),
            )
            .hint(format!("give \"{}\" a value", column.name)));
        }
    }
    Ok(())
}

fn key_codec(entry: &Entry) -> Result<RowCodec, Report> {
    let schema = entry.schema.arrow().project(&entry.schema.primary_key).map_err(Report::internal)?;
    RowCodec::new(schema.into()).map_err(Report::internal)
}

fn key_columns(entry: &Entry, rows: &RecordBatch) -> Vec<ArrayRef> {
    entry.schema.primary_key.iter().map(|i| rows.column(*i).clone()).collect()
}

type ByKey = HashMap<Box<[u8]>, Option<RecordBatch>>;

/// The row under each of the keys, as the transaction sees it.
fn rows_by_key(entry: &Entry, codec: &RowCodec, table: &Materialized, before: &Delta, keys: &[ArrayRef]) -> Result<ByKey, Report> {
    let mut current = ByKey::new();
    let count = keys.first().map_or(0, |k| k.len());
    let Matches { rows: found, .. } = table.lookup(keys, count).map_err(|e| e.report())?;
    // Rows that went come before rows that came, so that a row replaced under its own key ends as the new one.
    let gone = before.0.weights().values().iter().map(|w| *w < 0);
    let gone = before.0.filter(&gone.map(Some).collect()).map_err(Report::internal)?;
    let came = before.0.weights().values().iter().map(|w| *w > 0);
    let came = before.0.filter(&came.map(Some).collect()).map_err(Report::internal)?;
    for (rows, there) in [(&found, true), (&gone, false), (&came, true)] {
        let encoded = codec.encode(&key_columns(entry, rows.rows())).map_err(Report::internal)?;
        for (row, key) in encoded.iter().enumerate() {
            current.insert(key.as_ref().into(), there.then(|| rows.rows().slice(row, 1)));
        }
    }
    Ok(current)
}

fn duplicate(entry: &Entry, key: &[ArrayRef], row: usize) -> Report {
    let names: Vec<&str> = entry.schema.primary_key.iter().map(|i| entry.schema.columns[*i].name.as_str()).collect();
    let options = FormatOptions::default().with_null("null");
    let value = |c: &ArrayRef| ArrayFormatter::try_new(c.as_ref(), &options).map(|f| f.value(row).to_string()).unwrap_or_default();
    let values: Vec<String> = key.iter().map(value).collect();
    Report::error(SqlState::UNIQUE_VIOLATION, format!("duplicate key value violates unique constraint \"{}_pkey\"", entry.name))
        .detail(format!("Key ({})=({}) already exists.", names.join(", "), values.join(", ")))
        .hint("use INSERT ... ON CONFLICT DO NOTHING to leave the row that is there as it is")
}

/// Checks a transaction's change against the table as it is now: what it takes away is there, and no key is left with
/// two rows. First committer wins.
pub fn check(entry: &Entry, table: &Materialized, change: &Delta) -> Result<(), Report> {
    let all: Vec<usize> = (0..entry.schema.columns.len()).collect();
    let key = if entry.schema.primary_key.is_empty() { &all } else { &entry.schema.primary_key };
    let keys: Vec<ArrayRef> = key.iter().map(|i| change.0.column(*i).clone()).collect();
    let found = table.lookup(&keys, change.0.len()).map_err(|e| e.report())?.rows;
    // A key probed twice is found twice: what is there counts once.
    let there = distinct(&found)?;
    let sum = ZSet::concat(&entry.schema.arrow(), [&there, &change.0]).and_then(|z| z.consolidate()).map_err(Report::internal)?;
    if sum.weights().values().iter().any(|w| *w < 0) {
        return Err(serialization_failure(entry));
    }
    if entry.schema.primary_key.is_empty() {
        return Ok(());
    }
    let columns = key_columns(entry, sum.rows());
    let mut seen = hashbrown::HashSet::new();
    for (row, key) in key_codec(entry)?.encode(&columns).map_err(Report::internal)?.iter().enumerate() {
        if sum.weights().value(row) > 1 || !seen.insert(Box::<[u8]>::from(key.as_ref())) {
            let only_inserts = change.0.weights().values().iter().all(|w| *w > 0);
            return Err(if only_inserts { duplicate(entry, &columns, row) } else { serialization_failure(entry) });
        }
    }
    Ok(())
}

/// Each entry once, with its own weight.
fn distinct(rows: &ZSet) -> Result<ZSet, Report> {
    let codec = RowCodec::new(rows.schema()).map_err(Report::internal)?;
    let encoded = codec.encode(rows.rows().columns()).map_err(Report::internal)?;
    let mut seen = hashbrown::HashSet::new();
    let first = encoded.iter().map(|row| Some(seen.insert(Box::<[u8]>::from(row.as_ref())))).collect();
    rows.filter(&first).map_err(Report::internal)
}

fn serialization_failure(entry: &Entry) -> Report {
    Report::error(SqlState::SERIALIZATION_FAILURE, "could not serialize access due to concurrent update")
        .detail(format!("Rows of table \"{}\" were changed by another transaction.", entry.name))
        .hint("run the transaction again")
}

#[cfg(test)]
mod tests;
