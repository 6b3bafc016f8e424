//! Rows of a relation that only grows, as they came. They are read as a whole and never looked up.
//!
//! Chunks lie in a persistent vector: a snapshot is a copy of its root. Small deltas fill up the last chunk. In the store
//! chunks lie on a shelf ([`super::shelf`]) with their weights as one more column; a last chunk that grew is another one.
//! The rows of a chunk that the store has may leave memory: whoever reads the relation reads them from there.

use std::sync::{Arc, Mutex, MutexGuard};

use arrow::array::{AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use imbl::Vector;

use crate::types::TraceId;
use crate::zset::ZSet;
use crate::zset::text::print;

use super::body::Body;
use super::error::StateError;
use super::part::Part;
use super::shelf::Shelf;
use super::usage::PageCounts;
use super::writes::Writes;

/// A handle; clones are the same rows. Made by [`super::TraceSet::appended`].
#[derive(Clone)]
pub struct Appended {
    id: TraceId,
    rows: Arc<Mutex<Rows>>,
}

pub(super) struct Rows {
    now: AppendedSnapshot,
    shelf: Arc<Shelf>,
    /// So many chunks the store has as they are.
    written: usize,
    /// Chunks of the store that are others by now, with their numbers of rows.
    gone: Vec<(u64, usize)>,
}

/// The rows at one moment; cheap to clone.
#[derive(Clone)]
pub struct AppendedSnapshot {
    schema: SchemaRef,
    chunks: Vector<Arc<Body>>,
    len: usize,
}

/// A last chunk of fewer rows is filled up.
const SMALL: usize = 1024;
/// The weight's column in a chunk. It is the last one.
const WEIGHT: &str = "$weight";

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
        let Rows { now, shelf, written, gone, .. } = &mut *rows;
        if delta.is_empty() {
            return Ok(());
        }
        let body = |rows: RecordBatch| Ok::<_, StateError>(Arc::new(Body::new(Arc::new(shelf.fixed(&rows)?), shelf.clone())));
        let last = now.chunks.last().filter(|last| last.len() + delta.len() <= SMALL);
        match last {
            Some(last) => {
                let longer = ZSet::concat(&now.schema, [&unweighted(&now.schema, &last.part(0, last.len())?)?, delta])?;
                gone.extend(last.number().map(|number| (number, last.len())));
                now.chunks.pop_back();
                now.chunks.push_back(body(weighted(shelf.schema(), &longer)?)?);
                *written = (*written).min(now.chunks.len() - 1);
            }
            None => now.chunks.push_back(body(weighted(shelf.schema(), delta)?)?),
        }
        now.len += delta.len();
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
        let rows = self.lock();
        rows.shelf.resident_bytes() + rows.now.chunks.len() * (size_of::<Body>() + 16)
    }

    /// What rows take in the store that are not in memory, an estimate, and how often pages of them were wanted.
    pub fn evicted(&self) -> (usize, PageCounts) {
        let rows = self.lock();
        (rows.shelf.evicted_bytes(), rows.shelf.counts())
    }

    /// The chunks that may be evicted while no checkpoint is on its way.
    pub(super) fn clean(&self) -> Vec<Part> {
        let rows = self.lock();
        let settled = rows.now.chunks.iter().take(rows.written).enumerate();
        settled.filter(|(_, body)| body.is_resident()).map(|(place, body)| Part { used: body.used(), bytes: body.bytes(), place }).collect()
    }

    pub(super) fn evict(&self, place: usize) {
        let rows = self.lock();
        if let Some(body) = rows.now.chunks.get(place).filter(|_| place < rows.written) {
            body.evict();
        }
    }

    /// The chunks whose rows are not in memory, as [`Appended::clean`] tells of others.
    pub(super) fn away(&self) -> Vec<Part> {
        let rows = self.lock();
        let away = rows.now.chunks.iter().enumerate().filter(|(_, body)| !body.is_resident());
        away.map(|(place, body)| Part { used: body.used(), bytes: body.bytes(), place }).collect()
    }

    /// Reads the rows of a chunk into memory.
    pub(super) fn hold(&self, place: usize) -> Result<(), StateError> {
        let body = self.lock().now.chunks.get(place).cloned();
        if let Some(body) = body.filter(|body| !body.is_resident()) {
            body.hold(body.read()?);
        }
        Ok(())
    }

    pub(super) fn fingerprint(&self) -> String {
        Rows::form(&self.lock().now.schema)
    }

    pub(super) fn write_changes(&self, writes: &mut Writes) {
        let mut rows = self.lock();
        let Rows { now, shelf, written, gone } = &mut *rows;
        for body in now.chunks.skip(*written) {
            if let Some(fixed) = body.rows().filter(|_| body.number().is_none()) {
                body.store_as(shelf.put(&fixed, writes));
            }
        }
        *written = now.chunks.len();
        gone.drain(..).for_each(|(number, length)| shelf.forget(number, length, writes));
    }

    fn lock(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().expect("no thread panics while it holds rows")
    }
}

impl Rows {
    /// `shelf` is one for [`Rows::stored_schema`].
    pub(super) fn new(schema: SchemaRef, shelf: Shelf) -> Rows {
        let now = AppendedSnapshot { schema, chunks: Vector::new(), len: 0 };
        Rows { now, shelf: Arc::new(shelf), written: 0, gone: Vec::new() }
    }

    /// What the store holds; of the rows few are read at once.
    pub(super) fn load(schema: SchemaRef, shelf: Shelf) -> Result<Rows, StateError> {
        let mut rows = Rows::new(schema, shelf);
        let shelf = rows.shelf.clone();
        for stored in shelf.stored()? {
            rows.now.chunks.push_back(Arc::new(Body::stored(stored.number, (stored.rows, stored.bytes), shelf.clone())));
            rows.now.len += stored.rows;
        }
        for body in &rows.now.chunks {
            if !shelf.budget().has_room_at_start(body.bytes()) {
                break;
            }
            body.hold(body.read()?);
        }
        rows.written = rows.now.chunks.len();
        Ok(rows)
    }

    /// The columns of a chunk.
    pub(super) fn stored_schema(schema: &SchemaRef) -> SchemaRef {
        let mut fields = schema.fields().to_vec();
        fields.push(Arc::new(Field::new(WEIGHT, DataType::Int64, false)));
        Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
    }

    /// What is stored beside the rows, to know that they are read as they were written.
    pub(super) fn form(schema: &SchemaRef) -> String {
        let types: Vec<String> = schema.fields().iter().map(|field| field.data_type().to_string()).collect();
        format!("growing rows of ({}) in pages", types.join(", "))
    }
}

/// The rows with their weights as one more column.
fn weighted(stored: &SchemaRef, zset: &ZSet) -> Result<RecordBatch, StateError> {
    let mut columns = zset.rows().columns().to_vec();
    columns.push(Arc::new(zset.weights().clone()));
    Ok(RecordBatch::try_new(stored.clone(), columns)?)
}

/// The rows under the relation's own schema.
fn unweighted(schema: &SchemaRef, rows: &RecordBatch) -> Result<ZSet, StateError> {
    let weights = rows.columns().split_last().and_then(|(weights, columns)| Some((weights.as_primitive_opt::<Int64Type>()?, columns)));
    let (weights, columns) = weights.ok_or_else(|| StateError::corrupted("growing rows have no weights"))?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    Ok(ZSet::new(RecordBatch::try_new_with_options(schema.clone(), columns.to_vec(), &options)?, weights.clone()))
}

impl AppendedSnapshot {
    /// The number of entries, equal rows not put together.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All rows in the order in which they came, at most `rows` at a time, of those columns or of all. The iterator holds the
    /// snapshot itself.
    pub fn chunks(&self, rows: usize, columns: Option<&[usize]>) -> impl Iterator<Item = Result<ZSet, StateError>> + Send + use<> {
        let (rows, schema) = (rows.max(1), self.schema.clone());
        let columns: Option<Arc<[usize]>> = columns.map(Arc::from);
        self.chunks.clone().into_iter().flat_map(move |body| {
            let starts = (0..body.len()).step_by(rows);
            let (schema, columns) = (schema.clone(), columns.clone());
            starts.map(move |start| {
                let part = unweighted(&schema, &body.part(start, rows.min(body.len() - start))?)?;
                match columns.as_deref() {
                    Some(columns) => Ok(part.with_rows(part.rows().project(columns)?)),
                    None => Ok(part),
                }
            })
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
    use crate::state::{Store, TraceSet};
    use crate::types::ObjectId;
    use crate::zset::text::parse;

    const ID: TraceId = TraceId::new(ObjectId(7), 0);
    const COLUMNS: &str = "k int8, v text";

    fn open(dir: &std::path::Path, memory: usize) -> (TraceSet, Appended) {
        let traces = TraceSet::within(Arc::new(Store::open(dir).unwrap()), memory);
        let rows = traces.appended(ID, parse(COLUMNS, "").schema()).unwrap();
        (traces, rows)
    }

    fn all(snapshot: &AppendedSnapshot, rows: usize) -> String {
        snapshot
            .chunks(rows, None)
            .map(|chunk| {
                let chunk = chunk.unwrap();
                assert!(chunk.len() <= rows);
                print(&chunk)
            })
            .collect()
    }

    /// With all memory, and with none: what a checkpoint wrote is evicted at once.
    #[test]
    fn rows_come_back_in_their_order() {
        for memory in [usize::MAX, 1] {
            let dir = tempfile::tempdir().unwrap();
            let (mut traces, mut rows) = open(dir.path(), memory);
            let (mut expected, mut stored) = (String::new(), String::new());
            let mut held: Vec<(AppendedSnapshot, String)> = Vec::new();
            for step in 0..60 {
                let count = if step % 7 == 3 { 1500 } else { step % 5 };
                let delta: String = (0..count).map(|n| format!("{step} v{n} +{}\n", 1 + n % 2)).collect();
                held.push((rows.snapshot(), expected.clone()));
                rows.insert(&parse(COLUMNS, &delta)).unwrap();
                expected.push_str(&delta);
                if step % 4 == 0 {
                    let mut writes = Writes::new();
                    traces.dirty(&mut writes).unwrap();
                    traces.store().write(writes, false).unwrap();
                    assert!(traces.make_room().is_empty());
                    stored = expected.clone();
                }
                for (snapshot, then) in &held {
                    assert_eq!(&all(snapshot, 100), then, "a snapshot does not follow");
                }
                assert_eq!(all(&rows.snapshot(), 700), expected, "step {step}");
                if step % 11 == 10 {
                    held.clear();
                    drop((rows, traces));
                    (traces, rows) = open(dir.path(), memory);
                    expected = stored.clone();
                    assert_eq!(all(&rows.snapshot(), 100_000), expected, "step {step}, opened again");
                }
            }
            while traces.bring_back().unwrap() {}
            assert_eq!(rows.evicted().0 > 0, memory == 1);
            assert!(rows.insert(&parse(COLUMNS, "1 a -1")).is_err());
        }
    }
}
