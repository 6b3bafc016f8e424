//! One epoch of an upsert: the operations in order, over what was there before.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array, new_empty_array};
use arrow::compute::{concat, interleave, take};
use arrow::datatypes::SchemaRef;
use hashbrown::HashMap;

use crate::dataflow::error::DataflowError;
use crate::dataflow::operators::upsert::change::{Change, Paired};
use crate::dataflow::operators::upsert::keyed::{Keyed, UpsertOutput};
use crate::state::RowAt;
use crate::types::{Part, Projection};
use crate::zset::row_codec::canonical;
use crate::zset::{ChangeBatch, ChangeOp, Delta, Groups, ZSet};

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
    /// Where images point behind the stored rows: rows in limbo, the batches.
    sources: Vec<RecordBatch>,
    /// Where each of the stored rows is.
    places: Vec<RowAt>,
    /// The columns in which images of new rows, or of rows in limbo, point to stored rows.
    carried: Vec<bool>,
    /// For each batch the columns whose value some of its rows leave out.
    left_out: Vec<Vec<usize>>,
    /// For each batch and row its key; for each entry of `moved` its other key.
    key_ids: Vec<Vec<u32>>,
    moved_ids: Vec<Vec<u32>>,
    /// Their bytes; empty when no operation moves a row to another key.
    keys: Vec<Vec<u8>>,
    current: Vec<Slot<Image>>,
    /// Old key and new key to their place in `limbo` and `marks`.
    moves: HashMap<(u32, u32), usize>,
    limbo: Vec<Slot<Image>>,
    marks: Vec<Slot<()>>,
}

impl<'a> Step<'a> {
    pub fn new(keyed: &'a Keyed, changes: &'a [ChangeBatch], batches: &[RecordBatch]) -> Result<Step<'a>, DataflowError> {
        let Numbered { columns, key_ids, moved_ids } = number(keyed, changes, batches)?;
        let count = columns.first().map_or(0, |column| column.len());
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
        let (found, places) = keyed.rows.find(&columns, count)?;
        let keys =
            if pairs.is_empty() { Vec::new() } else { keyed.codec.encode(&columns)?.iter().map(|key| key.data().to_vec()).collect() };
        let side = |ids: Vec<u32>| {
            let ids = UInt32Array::from(ids);
            columns.iter().map(|column| take(column, &ids, None)).collect::<Result<Vec<_>, _>>()
        };
        let (old, new) = (side(pairs.iter().map(|p| p.0).collect())?, side(pairs.iter().map(|p| p.1).collect())?);
        let waiting = keyed.limbo.lookup(&[old, new].concat(), pairs.len())?;
        let row_columns: Vec<usize> = (2 * keyed.key.len()..waiting.rows.rows().num_columns()).collect();

        let mut current: Vec<Slot<Image>> = (0..count).map(|_| Slot { before: None, now: None }).collect();
        let mut limbo: Vec<Slot<Image>> = pairs.iter().map(|_| Slot { before: None, now: None }).collect();
        for (slots, source, probe) in [(&mut current, STORED, &found[..]), (&mut limbo, LIMBO, &waiting.probe.values()[..])] {
            for (row, id) in probe.iter().enumerate() {
                let image = Some(Image::Whole(source, row));
                slots[*id as usize] = Slot { before: image.clone(), now: image };
            }
        }
        let marked: Vec<Vec<u8>> = pairs.iter().map(|(old, new)| mark(&keys, *old, *new)).collect();
        let marks = keyed.marks.get(marked.iter().map(Vec::as_slice))?.into_iter().map(|mark| mark.map(|_| ()));
        let marks = marks.map(|mark| Slot { before: mark, now: mark }).collect();
        let mut sources = vec![waiting.rows.rows().project(&row_columns)?];
        sources.extend_from_slice(batches);
        let carried = vec![false; row_columns.len()];
        let left_out = |batch: &ChangeBatch, column: usize| batch.unchanged.get(column).is_some_and(Option::is_some);
        let left_out = changes.iter().map(|batch| (0..carried.len()).filter(|column| left_out(batch, *column)).collect()).collect();
        Ok(Step { keyed, changes, sources, places, carried, left_out, key_ids, moved_ids, keys, current, moves, limbo, marks })
    }

    /// The change has what is read of the rows.
    pub fn run(mut self, schema: &SchemaRef, read: &Projection) -> Result<UpsertOutput, DataflowError> {
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
        let (delta, changed) = self.commit(schema, read, truncated)?;
        Ok(UpsertOutput { delta, changed, unresolved, ignored_deletes })
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
        let columns = self.carried.len();
        let image = if self.left_out[b].iter().any(|column| left_out(*column)) {
            let Some(prior) = prior.or_else(|| self.current[id as usize].now.clone()) else { return false };
            carry(&mut self.carried, &prior, left_out);
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
            gone.iter().for_each(|image| carry(&mut self.carried, image, |_| true));
            self.limbo[*at].now = gone;
        }
        deleted
    }

    /// Brings the state to what the slots say now; what is read of the change of the relation, and whether there is one.
    fn commit(self, schema: &SchemaRef, read: &Projection, truncated: bool) -> Result<(Delta, bool), DataflowError> {
        let keyed = self.keyed;
        let is_wanted = |column: usize| self.carried[column] || (!truncated && *read.part(column) != Part::Nothing);
        let stored = self.stored(schema, is_wanted)?;
        // They are made before any row moves.
        let (left, waits) = split(&self.limbo, truncated);
        let mut pairs = vec![(0, 0); self.limbo.len()];
        self.moves.iter().for_each(|(pair, at)| pairs[*at] = *pair);
        let left = if truncated { Vec::new() } else { left };
        let left = self.rows(&stored, keyed.limbo.schema(), &left, &pairs)?;
        let waits = self.rows(&stored, keyed.limbo.schema(), &waits, &pairs)?;

        let (before, now) = split(&self.current, truncated);
        let come = self.rows(&stored, schema, &now, &[])?;
        let result = if truncated {
            let gone = keyed.rows.clear()?;
            keyed.rows.insert_distinct(&come)?;
            keyed.limbo.clear()?;
            let delta = ZSet::concat(schema, [&gone, &come])?.combined()?;
            let changed = !delta.is_empty();
            (Delta(delta.with_rows(read.apply(delta.rows(), &read.schema(schema))?)), changed)
        } else {
            let gone = before.iter().map(|(slot, image)| (*slot, image.at(0).1)).collect();
            let paired = Paired { gone, come: now.iter().map(|(slot, _)| *slot).collect() };
            let change = Change::new(schema, read, &paired, &stored, come)?;
            let gone: Vec<RowAt> = change.gone.iter().map(|row| self.places[*row]).collect();
            let changed = !(gone.is_empty() && change.come.is_empty());
            keyed.rows.exchange(&gone, &change.come)?;
            (change.delta, changed)
        };
        keyed.limbo.insert(&left.negate())?;
        keyed.limbo.insert(&waits)?;
        for ((old, new), slot) in pairs.iter().zip(&self.marks).filter(|(_, slot)| slot.before != slot.now) {
            keyed.marks.set(&mark(&self.keys, *old, *new), slot.now.map(|()| &b""[..]))?;
        }
        Ok(result)
    }

    /// The wanted columns of the stored rows; the others are empty.
    fn stored(&self, schema: &SchemaRef, is_wanted: impl Fn(usize) -> bool) -> Result<Vec<ArrayRef>, DataflowError> {
        let wanted: Vec<usize> = (0..self.carried.len()).filter(|column| is_wanted(*column)).collect();
        let mut gathered = self.keyed.rows.gather(&self.places, &wanted)?.into_iter();
        let column = |column: usize| match is_wanted(column) {
            true => gathered.next(),
            false => None,
        };
        let columns = (0..self.carried.len()).map(column).zip(schema.fields());
        Ok(columns.map(|(column, field)| column.unwrap_or_else(|| new_empty_array(field.data_type()))).collect())
    }

    /// The rows of the images, each once; behind the old and the new key when `pairs` gives them by the images' numbers.
    fn rows(
        &self,
        stored: &[ArrayRef],
        schema: &SchemaRef,
        images: &[(usize, &Image)],
        pairs: &[(u32, u32)],
    ) -> Result<ZSet, DataflowError> {
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
        let is_mixed = images.iter().any(|(_, image)| matches!(image, Image::Mixed(_)));
        let mut at: Vec<(usize, usize)> = Vec::new();
        for (column, stored) in stored.iter().enumerate() {
            let sources = self.sources.iter().map(|source| source.column(column));
            let values: Vec<&dyn Array> = std::iter::once(stored).chain(sources).map(|values| values.as_ref()).collect();
            if is_mixed || at.is_empty() {
                at.clear();
                at.extend(images.iter().map(|(_, image)| image.at(column)));
            }
            columns.push(interleave(&values, &at)?);
        }
        Ok(ZSet::of_rows(RecordBatch::try_new(schema.clone(), columns)?))
    }
}

/// Notes the columns, of those asked for, in which the image points to a stored row.
fn carry(carried: &mut [bool], image: &Image, is_asked: impl Fn(usize) -> bool) {
    carried.iter_mut().enumerate().for_each(|(column, carried)| *carried |= is_asked(column) && image.at(column).0 == STORED);
}

/// The images that go and the ones that come, with their numbers; after a truncation all that is there has come.
fn split(slots: &[Slot<Image>], truncated: bool) -> (Vec<(usize, &Image)>, Vec<(usize, &Image)>) {
    let changed = || slots.iter().enumerate().filter(|(_, slot)| truncated || slot.before != slot.now);
    let before = changed().filter_map(|(at, slot)| Some((at, slot.before.as_ref()?))).collect();
    let now = changed().filter_map(|(at, slot)| Some((at, slot.now.as_ref()?))).collect();
    (before, now)
}

/// The distinct keys that operations name.
struct Numbered {
    /// The key's columns, one row a key.
    columns: Vec<ArrayRef>,
    /// By batch, by row: the number of its key.
    key_ids: Vec<Vec<u32>>,
    /// By batch, by entry of `moved`: the number of its other key.
    moved_ids: Vec<Vec<u32>>,
}

fn number(keyed: &Keyed, changes: &[ChangeBatch], batches: &[RecordBatch]) -> Result<Numbered, DataflowError> {
    // One after the other: each batch's keys, then the other keys of its moves.
    let mut parts: Vec<Vec<ArrayRef>> = vec![Vec::new(); keyed.key.len()];
    for (batch, rows) in changes.iter().zip(batches) {
        for (part, (at, column)) in parts.iter_mut().zip(keyed.key.iter().enumerate()) {
            part.push(rows.column(*column).clone());
            part.extend(batch.moved_keys.iter().map(|moved| canonical(moved.column(at))));
        }
    }
    let whole = |part: &Vec<ArrayRef>| match part.as_slice() {
        [one] => Ok(one.clone()),
        many => concat(&many.iter().map(|array| array.as_ref()).collect::<Vec<_>>()),
    };
    let all = if batches.is_empty() { Vec::new() } else { parts.iter().map(whole).collect::<Result<Vec<_>, _>>()? };
    let groups = Groups::of(&all, all.first().map_or(0, |column| column.len()))?;
    let first = UInt32Array::from(groups.first);
    let columns = all.iter().map(|column| take(column, &first, None)).collect::<Result<Vec<_>, _>>()?;
    let mut ids = groups.ids.into_iter();
    let (mut key_ids, mut moved_ids) = (Vec::new(), Vec::new());
    for (batch, rows) in changes.iter().zip(batches) {
        key_ids.push(ids.by_ref().take(rows.num_rows()).collect());
        moved_ids.push(ids.by_ref().take(batch.moved_keys.as_ref().map_or(0, RecordBatch::num_rows)).collect());
    }
    Ok(Numbered { columns, key_ids, moved_ids })
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
