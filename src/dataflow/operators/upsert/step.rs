//! One epoch of an upsert: the operations in order, over what was there before.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::interleave;
use arrow::datatypes::SchemaRef;
use arrow_row::Rows;
use hashbrown::HashMap;

use crate::dataflow::error::DataflowError;
use crate::dataflow::operators::upsert::keyed::{Keyed, UpsertOutput};
use crate::zset::{ChangeBatch, ChangeOp, Delta, ZSet};

/// Where a row's values are: a source of rows and a row in it, for the whole row or for each column.
#[derive(Clone, Debug, PartialEq)]
enum Image {
    Whole(usize, usize),
    Mixed(Arc<[(usize, usize)]>),
}

/// The sources of rows before the batches.
const STORED: usize = 0;
const LIMBO: usize = 1;
const BATCHES: usize = 2;

impl Image {
    fn at(&self, column: usize) -> (usize, usize) {
        match self {
            Image::Whole(source, row) => (*source, *row),
            Image::Mixed(columns) => columns[column],
        }
    }
}

/// Something that was there before the step and may be another thing, or nothing, after it.
struct Slot<T> {
    before: Option<T>,
    now: Option<T>,
}

/// One epoch's work: every key and every move that the operations name, looked up at once, then changed in memory.
pub struct Step<'a> {
    keyed: &'a Keyed,
    changes: &'a [ChangeBatch],
    /// Where images point: stored rows, rows in limbo, the batches.
    sources: Vec<RecordBatch>,
    /// For each batch and row its key; for each entry of `moved` its other key.
    key_ids: Vec<Vec<u32>>,
    moved_ids: Vec<Vec<u32>>,
    keys: Vec<Vec<u8>>,
    current: Vec<Slot<Image>>,
    /// Old key and new key to their place in `limbo` and `marks`.
    moves: HashMap<(u32, u32), usize>,
    limbo: Vec<Slot<Image>>,
    marks: Vec<Slot<()>>,
}

impl<'a> Step<'a> {
    pub fn new(keyed: &'a Keyed, changes: &'a [ChangeBatch], batches: &[RecordBatch]) -> Result<Step<'a>, DataflowError> {
        let (mut key_ids, mut moved_ids) = (Vec::new(), Vec::new());
        let mut known = HashMap::new();
        let mut keys = Vec::new();
        for (batch, rows) in changes.iter().zip(batches) {
            let columns: Vec<ArrayRef> = keyed.key.iter().map(|c| rows.column(*c).clone()).collect();
            key_ids.push(number(&keyed.codec.encode(&columns)?, &mut known, &mut keys));
            moved_ids.push(match &batch.moved_keys {
                Some(moved) => number(&keyed.codec.encode(moved.columns())?, &mut known, &mut keys),
                None => Vec::new(),
            });
        }
        let mut moves = HashMap::new();
        let mut pairs = Vec::new();
        for (b, batch) in changes.iter().enumerate() {
            for (row, other) in batch.moved.iter().zip(&moved_ids[b]) {
                if let Some(pair) = pair_of(batch.ops.get(*row as usize), key_ids[b].get(*row as usize), *other) {
                    moves.entry(pair).or_insert_with(|| {
                        pairs.push(pair);
                        pairs.len() - 1
                    });
                }
            }
        }
        let key_rows = keyed.codec.decode(keys.iter().map(Vec::as_slice))?;
        let stored = keyed.rows.lookup(key_rows.columns(), keys.len())?;
        let decode = |ids: &mut dyn Iterator<Item = u32>| keyed.codec.decode(ids.map(|id| keys[id as usize].as_slice()));
        let (old, new) = (decode(&mut pairs.iter().map(|p| p.0))?, decode(&mut pairs.iter().map(|p| p.1))?);
        let waiting = keyed.limbo.lookup(&[old.columns(), new.columns()].concat(), pairs.len())?;
        let row_columns: Vec<usize> = (2 * keyed.key.len()..waiting.rows.rows().num_columns()).collect();

        let mut current: Vec<Slot<Image>> = keys.iter().map(|_| Slot { before: None, now: None }).collect();
        let mut limbo: Vec<Slot<Image>> = pairs.iter().map(|_| Slot { before: None, now: None }).collect();
        for (slots, source, probe) in [(&mut current, STORED, &stored.probe), (&mut limbo, LIMBO, &waiting.probe)] {
            for (row, id) in probe.values().iter().enumerate() {
                let image = Some(Image::Whole(source, row));
                slots[*id as usize] = Slot { before: image.clone(), now: image };
            }
        }
        let marks = pairs.iter().map(|(old, new)| keyed.marks.get(&mark(&keys, *old, *new)).map(|_| ()));
        let marks = marks.map(|mark| Slot { before: mark, now: mark }).collect();
        let mut sources = vec![stored.rows.rows().clone(), waiting.rows.rows().project(&row_columns)?];
        sources.extend_from_slice(batches);
        Ok(Step { keyed, changes, sources, key_ids, moved_ids, keys, current, moves, limbo, marks })
    }

    pub fn run(mut self, schema: &SchemaRef) -> Result<UpsertOutput, DataflowError> {
        let (mut unresolved, mut ignored_deletes, mut truncated) = (Vec::new(), 0, false);
        let changes = self.changes;
        for (b, batch) in changes.iter().enumerate() {
            let mut moved = batch.moved.iter().copied().zip(self.moved_ids[b].clone()).peekable();
            for (row, op) in batch.ops.iter().enumerate() {
                let other = moved.next_if(|(at, _)| *at as usize == row).map(|(_, other)| other);
                let id = self.key_ids[b][row];
                match op {
                    ChangeOp::Insert | ChangeOp::Upsert => {
                        if !self.upsert(b, row, id, other) {
                            unresolved.push((b, row));
                        }
                    }
                    ChangeOp::Delete => ignored_deletes += !self.delete(id, other) as usize,
                    ChangeOp::Truncate => {
                        truncated = true;
                        self.current.iter_mut().for_each(|slot| slot.now = None);
                        self.limbo.iter_mut().for_each(|slot| slot.now = None);
                    }
                }
            }
        }
        let delta = self.commit(schema, truncated)?;
        Ok(UpsertOutput { delta, unresolved, ignored_deletes })
    }

    /// Makes the row of batch `b` the current one of key `id`; false when it leaves out values that are not known.
    fn upsert(&mut self, b: usize, row: usize, id: u32, from: Option<u32>) -> bool {
        let mut prior = None;
        if let Some(from) = from.filter(|from| *from != id)
            && let Some(at) = self.moves.get(&(from, id))
        {
            prior = self.limbo[*at].now.take();
            if prior.is_none() && self.current[from as usize].now.is_some() {
                prior = self.current[from as usize].now.clone();
                self.marks[*at].now = Some(());
            }
        }
        let unchanged = &self.changes[b].unchanged;
        let left_out =
            |column: usize| unchanged.get(column).and_then(Option::as_ref).is_some_and(|rows| row < rows.len() && rows.value(row));
        let columns = self.sources[STORED].num_columns();
        let image = if (0..columns).any(left_out) {
            let Some(prior) = prior.or_else(|| self.current[id as usize].now.clone()) else { return false };
            let here = (BATCHES + b, row);
            Image::Mixed((0..columns).map(|column| if left_out(column) { prior.at(column) } else { here }).collect())
        } else {
            Image::Whole(BATCHES + b, row)
        };
        self.current[id as usize].now = Some(image);
        true
    }

    /// Takes the row of key `id` away, to limbo when it moves to another key; false when there is none.
    fn delete(&mut self, id: u32, to: Option<u32>) -> bool {
        let gone = self.current[id as usize].now.take();
        let deleted = gone.is_some();
        if let Some(to) = to.filter(|to| *to != id)
            && let Some(at) = self.moves.get(&(id, to))
            && self.marks[*at].now.take().is_none()
        {
            self.limbo[*at].now = gone;
        }
        deleted
    }

    /// Brings the state to what the slots say now; the change of the relation.
    fn commit(self, schema: &SchemaRef, truncated: bool) -> Result<Delta, DataflowError> {
        let keyed = self.keyed;
        let (before, now) = split(&self.current, truncated);
        let gone = if truncated { keyed.rows.clear()? } else { self.rows(schema, &before, &[])?.negate() };
        let come = self.rows(schema, &now, &[])?;
        let delta = ZSet::concat(schema, [&gone, &come])?.consolidate()?;
        keyed.rows.insert(if truncated { &come } else { &delta })?;

        let mut pairs = vec![(0, 0); self.limbo.len()];
        self.moves.iter().for_each(|(pair, at)| pairs[*at] = *pair);
        let (before, now) = split(&self.limbo, truncated);
        if truncated {
            keyed.limbo.clear()?;
        } else {
            keyed.limbo.insert(&self.rows(keyed.limbo.schema(), &before, &pairs)?.negate())?;
        }
        keyed.limbo.insert(&self.rows(keyed.limbo.schema(), &now, &pairs)?)?;
        for ((old, new), slot) in pairs.iter().zip(&self.marks).filter(|(_, slot)| slot.before != slot.now) {
            keyed.marks.set(&mark(&self.keys, *old, *new), slot.now.map(|()| &b""[..]));
        }
        Ok(Delta(delta))
    }

    /// The rows of the images, each once; behind the old and the new key when `pairs` gives them by the images' numbers.
    fn rows(&self, schema: &SchemaRef, images: &[(usize, &Image)], pairs: &[(u32, u32)]) -> Result<ZSet, DataflowError> {
        if images.is_empty() {
            return Ok(ZSet::empty(schema.clone()));
        }
        let mut columns = Vec::with_capacity(schema.fields().len());
        if !pairs.is_empty() {
            for id in [|pair: &(u32, u32)| pair.0, |pair: &(u32, u32)| pair.1] {
                let keys = images.iter().map(|(at, _)| self.keys[id(&pairs[*at]) as usize].as_slice());
                columns.extend_from_slice(self.keyed.codec.decode(keys)?.columns());
            }
        }
        for column in 0..self.sources[STORED].num_columns() {
            let values: Vec<&dyn Array> = self.sources.iter().map(|source| source.column(column).as_ref()).collect();
            let at: Vec<(usize, usize)> = images.iter().map(|(_, image)| image.at(column)).collect();
            columns.push(interleave(&values, &at)?);
        }
        Ok(ZSet::of_rows(RecordBatch::try_new(schema.clone(), columns)?))
    }
}

/// The images that go and the ones that come, with their numbers; after a truncation all that is there has come.
fn split(slots: &[Slot<Image>], truncated: bool) -> (Vec<(usize, &Image)>, Vec<(usize, &Image)>) {
    let changed = || slots.iter().enumerate().filter(|(_, slot)| truncated || slot.before != slot.now);
    let before = changed().filter_map(|(at, slot)| Some((at, slot.before.as_ref()?))).collect();
    let now = changed().filter_map(|(at, slot)| Some((at, slot.now.as_ref()?))).collect();
    (before, now)
}

/// Numbers the keys of a batch, the same key always the same.
fn number(rows: &Rows, known: &mut HashMap<Vec<u8>, u32>, keys: &mut Vec<Vec<u8>>) -> Vec<u32> {
    let id = |bytes: &[u8]| match known.get(bytes) {
        Some(id) => *id,
        None => {
            let id = keys.len() as u32;
            known.insert(bytes.to_vec(), id);
            keys.push(bytes.to_vec());
            id
        }
    };
    rows.iter().map(|row| row.data()).map(id).collect()
}

/// The old and the new key of a move, told by the operation on `own` that names `other`.
fn pair_of(op: Option<&ChangeOp>, own: Option<&u32>, other: u32) -> Option<(u32, u32)> {
    match (op?, *own?) {
        (ChangeOp::Insert | ChangeOp::Upsert, own) => Some((other, own)),
        (ChangeOp::Delete, own) => Some((own, other)),
        (ChangeOp::Truncate, _) => None,
    }
}

fn mark(keys: &[Vec<u8>], old: u32, new: u32) -> Vec<u8> {
    [keys[old as usize].as_slice(), keys[new as usize].as_slice()].concat()
}
