//! Rows of a relation that only grows, as they came. They are read as a whole and never looked up.
//!
//! Chunks lie in a persistent vector: a snapshot is a copy of its root. Small deltas fill up the last chunk. In the store a
//! chunk is one value; a last chunk that grew is written again.
//!
//! ```text
//! trace | chunk, 4 bytes -> rows and weights, as Arrow IPC
//! ```

use std::sync::{Arc, Mutex, MutexGuard};

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use imbl::Vector;

use crate::types::TraceId;
use crate::zset::ZSet;
use crate::zset::text::print;

use super::error::StateError;
use super::family::Family;
use super::ipc::zset_from_ipc;
use super::key_layout::{entry_key, entry_of, trace_prefix};
use super::store::Store;
use super::writes::Writes;

/// A handle; clones are the same rows. Made by [`super::TraceSet::appended`].
#[derive(Clone)]
pub struct Appended {
    id: TraceId,
    rows: Arc<Mutex<Rows>>,
}

pub(super) struct Rows {
    now: AppendedSnapshot,
    bytes: usize,
    /// So many chunks the store has as they are.
    written: usize,
}

/// The rows at one moment; cheap to clone.
#[derive(Clone)]
pub struct AppendedSnapshot {
    schema: SchemaRef,
    chunks: Vector<ZSet>,
    len: usize,
}

/// A last chunk of fewer rows is filled up.
const SMALL: usize = 1024;

impl Appended {
    pub(super) fn new(id: TraceId, rows: Rows) -> Appended {
        Appended { id, rows: Arc::new(Mutex::new(rows)) }
    }

    pub fn id(&self) -> TraceId {
        self.id
    }

    /// Adds rows.
    ///
    /// # Errors
    /// When a row goes: the relation does not only grow.
    pub fn insert(&self, delta: &ZSet) -> Result<(), StateError> {
        if let Some(row) = delta.weights().values().iter().position(|weight| *weight < 0) {
            let (weight, row) = (delta.weights().value(row), print(&delta.slice(row, 1)).trim_end().to_string());
            return Err(StateError::NegativeWeight { weight, row });
        }
        let mut rows = self.lock();
        let Rows { now, bytes, written } = &mut *rows;
        if delta.is_empty() {
            return Ok(());
        }
        let delta = &fitted(&now.schema, delta)?;
        now.len += delta.len();
        *bytes += delta.rows().get_array_memory_size() + delta.len() * 8;
        match now.chunks.pop_back() {
            Some(last) if last.len() + delta.len() <= SMALL => {
                now.chunks.push_back(ZSet::concat(&now.schema, [&last, delta])?);
                *written = (*written).min(now.chunks.len() - 1);
            }
            last => {
                now.chunks.extend(last);
                now.chunks.push_back(delta.clone());
            }
        }
        Ok(())
    }

    pub fn snapshot(&self) -> AppendedSnapshot {
        self.lock().now.clone()
    }

    pub fn len(&self) -> usize {
        self.lock().now.len
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Memory in bytes, an estimate.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    pub(super) fn fingerprint(&self) -> String {
        Rows::form(&self.lock().now.schema)
    }

    pub(super) fn write_changes(&self, writes: &mut Writes) {
        let mut rows = self.lock();
        for number in rows.written..rows.now.chunks.len() {
            let key = entry_key(self.id, &(number as u32).to_be_bytes());
            writes.put_rows(Family::Trace, key, rows.now.chunks[number].clone());
        }
        rows.written = rows.now.chunks.len();
    }

    fn lock(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().expect("no thread panics while it holds rows")
    }
}

impl Rows {
    pub(super) fn new(schema: SchemaRef) -> Rows {
        Rows { now: AppendedSnapshot { schema, chunks: Vector::new(), len: 0 }, bytes: 0, written: 0 }
    }

    /// What the store holds.
    pub(super) fn load(store: &Store, id: TraceId, schema: SchemaRef) -> Result<Rows, StateError> {
        let mut rows = Rows::new(schema);
        store.scan_with(Family::Trace, &trace_prefix(id), &mut |key, value| {
            let number = entry_of(key).and_then(|number| number.try_into().ok()).map(u32::from_be_bytes);
            if number != Some(rows.now.chunks.len() as u32) {
                return Err(StateError::corrupted(format!("a chunk of trace {id} is missing")));
            }
            let chunk = fitted(&rows.now.schema, &zset_from_ipc(value)?)?;
            rows.now.len += chunk.len();
            rows.bytes += chunk.rows().get_array_memory_size() + chunk.len() * 8;
            rows.now.chunks.push_back(chunk);
            Ok(())
        })?;
        rows.written = rows.now.chunks.len();
        Ok(rows)
    }

    /// What is stored beside the rows, to know that they are read as they were written.
    pub(super) fn form(schema: &SchemaRef) -> String {
        let types: Vec<String> = schema.fields().iter().map(|field| field.data_type().to_string()).collect();
        format!("growing rows of ({})", types.join(", "))
    }
}

/// The rows under the relation's own schema.
fn fitted(schema: &SchemaRef, zset: &ZSet) -> Result<ZSet, StateError> {
    let options = RecordBatchOptions::new().with_row_count(Some(zset.len()));
    Ok(zset.with_rows(RecordBatch::try_new_with_options(schema.clone(), zset.rows().columns().to_vec(), &options)?))
}

impl AppendedSnapshot {
    /// The number of entries, equal rows not put together.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All rows in the order in which they came, at most `rows` at a time. The iterator holds the snapshot itself.
    pub fn chunks(&self, rows: usize) -> impl Iterator<Item = ZSet> + Send + use<> {
        let rows = rows.max(1);
        self.chunks.clone().into_iter().flat_map(move |chunk| {
            let starts = (0..chunk.len()).step_by(rows);
            starts.map(move |start| chunk.slice(start, rows.min(chunk.len() - start)))
        })
    }
}

impl std::fmt::Debug for AppendedSnapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AppendedSnapshot({} rows)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::TraceSet;
    use crate::types::ObjectId;
    use crate::zset::text::parse;

    const ID: TraceId = TraceId::new(ObjectId(7), 0);
    const COLUMNS: &str = "k int8, v text";

    fn open(dir: &std::path::Path) -> (TraceSet, Appended) {
        let traces = TraceSet::new(Arc::new(Store::open(dir).unwrap()));
        let rows = traces.appended(ID, parse(COLUMNS, "").schema()).unwrap();
        (traces, rows)
    }

    fn all(snapshot: &AppendedSnapshot, rows: usize) -> String {
        snapshot
            .chunks(rows)
            .map(|chunk| {
                assert!(chunk.len() <= rows);
                print(&chunk)
            })
            .collect()
    }

    #[test]
    fn rows_come_back_in_their_order() {
        let dir = tempfile::tempdir().unwrap();
        let (mut traces, mut rows) = open(dir.path());
        let (mut expected, mut stored) = (String::new(), String::new());
        for step in 0..60 {
            let count = if step % 7 == 3 { 1500 } else { step % 5 };
            let delta: String = (0..count).map(|n| format!("{step} v{n} +{}\n", 1 + n % 2)).collect();
            let before = (rows.snapshot(), expected.clone());
            rows.insert(&parse(COLUMNS, &delta)).unwrap();
            expected.push_str(&delta);
            assert_eq!(all(&before.0, 100), before.1, "a snapshot does not follow");
            assert_eq!(all(&rows.snapshot(), 700), expected, "step {step}");
            if step % 4 == 0 {
                let mut writes = Writes::new();
                traces.dirty(&mut writes).unwrap();
                traces.store().write(writes, false).unwrap();
                stored = expected.clone();
            }
            if step % 11 == 10 {
                drop((before, rows, traces));
                (traces, rows) = open(dir.path());
                expected = stored.clone();
                assert_eq!(all(&rows.snapshot(), 100_000), expected, "step {step}, opened again");
            }
        }
        assert!(rows.insert(&parse(COLUMNS, "1 a -1")).is_err());
    }
}
