//! One atomic write: what is put and deleted, in order, across all families.

use std::fmt;

use crate::types::TraceId;

use super::blob::{Blob, part_key};
use super::error::StateError;
use super::family::Family;
use super::key_layout::{after_prefix, entry_key};

/// A single step of a write. A later step wins over an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Write {
    Put {
        family: Family,
        key: Vec<u8>,
        value: Vec<u8>,
    },
    Delete {
        family: Family,
        key: Vec<u8>,
    },
    /// Every key in `from..to`; without `to`, every key from there on.
    DeleteRange {
        family: Family,
        from: Vec<u8>,
        to: Option<Vec<u8>>,
    },
}

/// What is collected: a step, or many of one kind in little room. Whoever collects a checkpoint holds up the epochs, so that they
/// become steps when they are written.
#[derive(Debug)]
enum Collected {
    One(Write),
    /// What the parts of a blob are, in their order: records' pages of those numbers.
    Pages {
        trace: TraceId,
        blob: u64,
        numbers: Vec<u32>,
    },
    /// Parts of blobs that go.
    PartsGo(Vec<(u64, u32)>),
}

/// Steps that happen together or not at all, collected for [`super::Store::write`].
#[derive(Default)]
pub struct Writes {
    steps: Vec<Collected>,
    bytes: usize,
    /// Blobs with their numbers. They too become bytes when they are written.
    blobs: Vec<(u64, Box<dyn Blob>)>,
    blob_bytes: usize,
    /// After the greatest number of a blob that these steps may name.
    next_blob: u64,
}

impl Writes {
    pub fn new() -> Writes {
        Writes::default()
    }

    pub fn put(&mut self, family: Family, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.push(Write::Put { family, key: key.into(), value: value.into() });
    }

    /// Puts a blob of about so many bytes.
    pub(super) fn put_blob(&mut self, number: u64, blob: Box<dyn Blob>, bytes: usize) {
        self.blob_bytes += bytes;
        self.next_blob = self.next_blob.max(number + 1);
        self.blobs.push((number, blob));
    }

    /// Says that the parts of a blob are those pages of a trace of records.
    pub(super) fn name_parts(&mut self, blob: u64, trace: TraceId, numbers: Vec<u32>) {
        self.bytes += numbers.len() * PAGE_STEP;
        self.steps.push(Collected::Pages { trace, blob, numbers });
    }

    /// Deletes parts of blobs.
    pub(super) fn delete_parts(&mut self, parts: Vec<(u64, u32)>) {
        self.bytes += parts.len() * part_key(0, 0).len();
        if !parts.is_empty() {
            self.steps.push(Collected::PartsGo(parts));
        }
    }

    pub fn delete(&mut self, family: Family, key: impl Into<Vec<u8>>) {
        self.push(Write::Delete { family, key: key.into() });
    }

    /// Deletes every key that begins with `prefix`; an empty prefix is the whole family.
    pub fn delete_prefix(&mut self, family: Family, prefix: impl Into<Vec<u8>>) {
        let from = prefix.into();
        let to = after_prefix(&from);
        self.push(Write::DeleteRange { family, from, to });
    }

    /// Deletes every key in `from..to`.
    pub fn delete_range(&mut self, family: Family, from: impl Into<Vec<u8>>, to: impl Into<Vec<u8>>) {
        self.push(Write::DeleteRange { family, from: from.into(), to: Some(to.into()) });
    }

    /// Puts the steps of `later` behind these.
    pub fn append(&mut self, later: Writes) {
        self.bytes += later.bytes;
        self.steps.extend(later.steps);
        self.blob_bytes += later.blob_bytes;
        self.blobs.extend(later.blobs);
        self.next_blob = self.next_blob.max(later.next_blob);
    }

    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.blobs.is_empty()
    }

    /// The size of all keys and values in bytes; of blobs an estimate.
    pub fn bytes(&self) -> usize {
        self.bytes + self.blob_bytes
    }

    pub(super) fn blob_bytes(&self) -> usize {
        self.blob_bytes
    }

    /// The blobs, in the order of their numbers; what is left names them.
    pub(super) fn take_blobs(&mut self) -> Vec<(u64, Box<dyn Blob>)> {
        self.blob_bytes = 0;
        let mut blobs = std::mem::take(&mut self.blobs);
        blobs.sort_unstable_by_key(|(number, _)| *number);
        blobs
    }

    /// The number after those of all blobs that were put, if there were any.
    pub(super) fn next_blob(&self) -> Option<u64> {
        (self.next_blob > 0).then_some(self.next_blob)
    }

    /// The steps one after the other, blobs first: a blob becomes bytes when it is its turn.
    pub(super) fn into_steps(mut self) -> impl Iterator<Item = Result<Write, StateError>> {
        let blobs = self.take_blobs().into_iter().flat_map(|(number, blob)| {
            let mut parts = Vec::new();
            let made = blob.parts(&mut |part| {
                let key = part_key(number, parts.len() as u32).to_vec();
                parts.push(Write::Put { family: Family::Blob, key, value: part.to_vec() });
                Ok(())
            });
            match made {
                Ok(()) => parts.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            }
        });
        blobs.chain(self.steps.into_iter().flat_map(Collected::into_steps).map(Ok))
    }

    fn push(&mut self, step: Write) {
        self.bytes += match &step {
            Write::Put { key, value, .. } => key.len() + value.len(),
            Write::Delete { key, .. } => key.len(),
            Write::DeleteRange { from, to, .. } => from.len() + to.as_ref().map_or(0, Vec::len),
        };
        self.steps.push(Collected::One(step));
    }
}

/// What a page's step takes: the trace, the page, and the part that it is.
const PAGE_STEP: usize = 7 + 4 + 12;

impl Collected {
    fn into_steps(self) -> impl Iterator<Item = Write> {
        let (one, pages, gone) = match self {
            Collected::One(step) => (Some(step), None, Vec::new()),
            Collected::Pages { trace, blob, numbers } => (None, Some((trace, blob, numbers)), Vec::new()),
            Collected::PartsGo(parts) => (None, None, parts),
        };
        let pages = pages.into_iter().flat_map(|(trace, blob, numbers)| {
            (0..).zip(numbers).map(move |(part, number)| Write::Put {
                family: Family::Chunk,
                key: entry_key(trace, &number.to_be_bytes()),
                value: part_key(blob, part).to_vec(),
            })
        });
        let gone = gone.into_iter().map(|(blob, part)| Write::Delete { family: Family::Blob, key: part_key(blob, part).to_vec() });
        one.into_iter().chain(pages).chain(gone)
    }
}

impl fmt::Debug for Writes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Writes({:?}, {} blobs)", self.steps, self.blobs.len())
    }
}
