//! Where the rows of one trace lie in the store: chunks of pages, read again when they are not in memory.
//!
//! A chunk in the store never changes. Its number is given once in a process, and its pages are deleted when nobody holds
//! the chunk any more, readers of older moments included; until then a chunk that the trace has let go of is marked as dead,
//! so that a start after a crash deletes it.
//!
//! ```text
//! trace | "c" | chunk, 4 bytes                -> rows, 4 bytes | for a live chunk: their size in memory,
//!                                                            8 bytes | where rows are found by a key, a hash of each
//!                                                            row's, 8 bytes
//! trace | "p" | chunk, 4 bytes | page, 4 bytes -> rows, see page.rs
//! ```
//!
//! Numbers are big endian.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use hashbrown::HashMap;

use crate::types::TraceId;

use super::budget::Budget;
use super::error::StateError;
use super::family::Family;
use super::fixed_rows::FixedRows;
use super::key_layout::{entry_key, entry_of, trace_prefix};
use super::page::{self, PAGE};
use super::store::Store;
use super::writes::{Later, Writes};

const CHUNK: u8 = b'c';
const PAGES: u8 = b'p';

pub struct Shelf {
    store: Arc<Store>,
    id: TraceId,
    schema: SchemaRef,
    key: Arc<[usize]>,
    /// Whether rows are found by their key.
    hashed: bool,
    budget: Arc<Budget>,
    /// What this shelf's pages are known by in the cache.
    name: u64,
    /// Chunks of the store that nobody holds any more, with their numbers of rows.
    unheld: Mutex<Vec<(u32, usize)>>,
    /// Bytes of rows in memory, and of those that are in the store alone.
    resident: AtomicUsize,
    evicted: AtomicUsize,
    was_evicted_from: AtomicBool,
    found: AtomicU64,
    read: AtomicU64,
}

/// How often a page was wanted of rows that are not in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageCounts {
    /// It was in the cache.
    pub found: u64,
    /// It was read from the store.
    pub read: u64,
}

/// Pages that were read for one batch, by the chunk's number and the page's.
pub type Pages = HashMap<(u32, u32), Arc<FixedRows>>;

/// A chunk of the store, as a start sees it.
pub struct Stored<'a> {
    pub number: u32,
    pub rows: usize,
    /// What they took in memory.
    pub bytes: usize,
    /// None for a dead one.
    hashes: Option<&'a [u8]>,
}

impl Stored<'_> {
    pub fn is_dead(&self) -> bool {
        self.hashes.is_none()
    }

    pub fn hashes(&self) -> Vec<u64> {
        let words = self.hashes.unwrap_or_default().chunks_exact(8);
        words.filter_map(|word| word.try_into().ok()).map(u64::from_be_bytes).collect()
    }
}

impl Shelf {
    /// The shelf of rows of that schema, which are found by a key if there is one.
    pub fn new(store: Arc<Store>, id: TraceId, schema: SchemaRef, key: Option<&[usize]>, budget: Arc<Budget>) -> Shelf {
        let name = budget.next_shelf();
        let (found, read) = (AtomicU64::default(), AtomicU64::default());
        let (resident, evicted) = (AtomicUsize::default(), AtomicUsize::default());
        let (hashed, key) = (key.is_some(), key.unwrap_or_default().into());
        Shelf {
            store,
            id,
            schema,
            key,
            hashed,
            budget,
            name,
            unheld: Mutex::default(),
            resident,
            evicted,
            was_evicted_from: AtomicBool::default(),
            found,
            read,
        }
    }

    pub fn id(&self) -> TraceId {
        self.id
    }

    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    pub fn key(&self) -> &Arc<[usize]> {
        &self.key
    }

    /// Rows come into memory.
    pub fn comes(&self, bytes: usize) {
        self.resident.fetch_add(bytes, Ordering::Relaxed);
        self.budget.more(bytes);
    }

    /// Rows leave memory.
    pub fn goes(&self, bytes: usize) {
        self.resident.fetch_sub(bytes, Ordering::Relaxed);
        self.budget.less(bytes);
    }

    /// Rows of about so many bytes are in the store alone; `stays` is false when they no longer are.
    pub fn evicted(&self, bytes: usize, stays: bool) {
        self.budget.away(stays);
        match stays {
            true => {
                self.was_evicted_from.store(true, Ordering::Relaxed);
                self.evicted.fetch_add(bytes, Ordering::Relaxed)
            }
            false => self.evicted.fetch_sub(bytes, Ordering::Relaxed),
        };
    }

    /// Whether there have been rows that were in the store alone.
    pub fn was_evicted_from(&self) -> bool {
        self.was_evicted_from.load(Ordering::Relaxed)
    }

    pub fn resident_bytes(&self) -> usize {
        self.resident.load(Ordering::Relaxed)
    }

    pub fn evicted_bytes(&self) -> usize {
        self.evicted.load(Ordering::Relaxed)
    }

    pub fn counts(&self) -> PageCounts {
        PageCounts { found: self.found.load(Ordering::Relaxed), read: self.read.load(Ordering::Relaxed) }
    }

    /// The pages, each wanted at least once; what the cache does not have is read at once.
    pub fn pages(&self, mut wanted: Vec<(u32, u32)>) -> Result<Pages, StateError> {
        wanted.sort_unstable();
        wanted.dedup();
        let mut pages = Pages::with_capacity(wanted.len());
        self.budget.cache.find(self.name, &mut wanted, |place, rows| {
            pages.insert(place, rows);
        });
        self.found.fetch_add(pages.len() as u64, Ordering::Relaxed);
        self.read_each(&wanted, |place, rows, bytes| {
            let rows = Arc::new(FixedRows::counted(rows, &self.key, bytes)?);
            self.budget.cache.keep((self.name, place.0, place.1), &rows);
            pages.insert(place, rows);
            Ok(())
        })?;
        Ok(pages)
    }

    /// Rows `from..from + length` of a chunk; the cache is left as it is.
    pub fn rows(&self, chunk: u32, from: usize, length: usize) -> Result<RecordBatch, StateError> {
        let (first, last) = (from / PAGE, (from + length.max(1) - 1) / PAGE);
        let wanted: Vec<_> = (first..=last).map(|page| (chunk, page as u32)).collect();
        let mut parts = Vec::with_capacity(wanted.len());
        self.read_each(&wanted, |_, rows, _| {
            parts.push(rows);
            Ok(())
        })?;
        let rows = if let [one] = &parts[..] { one.clone() } else { concat_batches(&self.schema, &parts)? };
        match from - first * PAGE + length <= rows.num_rows() {
            true => Ok(rows.slice(from - first * PAGE, length)),
            false => Err(self.missing(chunk)),
        }
    }

    /// A whole chunk of so many rows.
    pub fn chunk(&self, chunk: u32, length: usize) -> Result<FixedRows, StateError> {
        let rows = self.rows(chunk, 0, length)?;
        // Columns of a single page lie in one buffer.
        let bytes = if length > PAGE { rows.get_array_memory_size() } else { rows.get_array_memory_size() / rows.num_columns().max(1) };
        FixedRows::counted(rows, &self.key, bytes)
    }

    fn read_each(
        &self,
        wanted: &[(u32, u32)],
        mut take: impl FnMut((u32, u32), RecordBatch, usize) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        if wanted.is_empty() {
            return Ok(());
        }
        self.read.fetch_add(wanted.len() as u64, Ordering::Relaxed);
        let keys: Vec<Vec<u8>> = wanted.iter().map(|(chunk, page)| self.page_key(*chunk, *page)).collect();
        for (place, value) in wanted.iter().zip(self.store.get_settled(Family::Trace, &keys)?) {
            let value = value.ok_or_else(|| self.missing(place.0))?;
            let bytes = value.len();
            take(*place, page::from_bytes(&self.schema, value)?, bytes)?;
        }
        Ok(())
    }

    fn missing(&self, chunk: u32) -> StateError {
        StateError::corrupted(format!("rows of chunk {chunk} of trace {} are missing", self.id))
    }

    /// Visits the chunks that the store has, in the order of their numbers.
    pub fn each_stored(&self, visit: &mut dyn FnMut(Stored<'_>) -> Result<(), StateError>) -> Result<(), StateError> {
        let broken = || StateError::corrupted(format!("a chunk of trace {} cannot be read", self.id));
        self.each(CHUNK, &mut |number, value| {
            let (rows, rest) = value.split_first_chunk::<4>().ok_or_else(broken)?;
            let rows = u32::from_be_bytes(*rows) as usize;
            match rest.split_first_chunk::<8>() {
                None if rest.is_empty() => visit(Stored { number, rows, bytes: 0, hashes: None }),
                Some((bytes, hashes)) if hashes.len() == if self.hashed { rows * 8 } else { 0 } => {
                    visit(Stored { number, rows, bytes: u64::from_be_bytes(*bytes) as usize, hashes: Some(hashes) })
                }
                _ => Err(broken()),
            }
        })
    }

    /// Visits what the store has beside chunks under that kind, by the chunk's number.
    pub fn each(&self, kind: u8, visit: &mut dyn FnMut(u32, &[u8]) -> Result<(), StateError>) -> Result<(), StateError> {
        let prefix = entry_key(self.id, &[kind]);
        debug_assert!(prefix.starts_with(&trace_prefix(self.id)));
        self.store.scan_with(Family::Trace, &prefix, &mut |key, value| {
            let number = entry_of(key).and_then(|entry| entry.get(1..)?.try_into().ok()).map(u32::from_be_bytes);
            let number = number.ok_or_else(|| StateError::corrupted(format!("an entry of trace {} cannot be read", self.id)))?;
            visit(number, value)
        })
    }

    /// Puts a chunk, with its rows' hashes by key.
    pub fn put(self: &Arc<Self>, number: u32, rows: &Arc<FixedRows>, writes: &mut Writes) {
        let bytes = rows.bytes() + rows.len() * 8;
        writes.put_later(Arc::new(ToStore { shelf: self.clone(), number, rows: rows.clone() }), bytes);
    }

    /// The trace has let go of the chunk; its pages stay for as long as somebody reads them.
    pub fn mark_dead(&self, number: u32, rows: usize, writes: &mut Writes) {
        writes.put(Family::Trace, self.key_of(CHUNK, number), (rows as u32).to_be_bytes());
    }

    /// Nobody holds the chunk any more.
    pub fn let_go(&self, number: u32, rows: usize) {
        self.unheld.lock().expect("no thread panics while it holds a list").push((number, rows));
    }

    /// Deletes the chunks that nobody holds; their numbers.
    pub fn delete_unheld(&self, writes: &mut Writes) -> Vec<u32> {
        let unheld = std::mem::take(&mut *self.unheld.lock().expect("no thread panics while it holds a list"));
        for (number, rows) in &unheld {
            writes.delete(Family::Trace, self.key_of(CHUNK, *number));
            for page in 0..rows.div_ceil(PAGE) {
                writes.delete(Family::Trace, self.page_key(*number, page as u32));
            }
        }
        unheld.into_iter().map(|(number, _)| number).collect()
    }

    /// The key of something beside a chunk.
    pub fn key_of(&self, kind: u8, number: u32) -> Vec<u8> {
        entry_key(self.id, &[&[kind][..], &number.to_be_bytes()].concat())
    }

    fn page_key(&self, number: u32, page: u32) -> Vec<u8> {
        let mut key = self.key_of(PAGES, number);
        key.extend_from_slice(&page.to_be_bytes());
        key
    }
}

/// A chunk on its way to the store.
struct ToStore {
    shelf: Arc<Shelf>,
    number: u32,
    rows: Arc<FixedRows>,
}

impl Later for ToStore {
    fn puts(&self, put: &mut dyn FnMut(Family, Vec<u8>, Vec<u8>)) -> Result<(), StateError> {
        let length = self.rows.len();
        let mut head = Vec::with_capacity(12 + length * 8);
        head.extend_from_slice(&(length as u32).to_be_bytes());
        head.extend_from_slice(&(self.rows.bytes() as u64).to_be_bytes());
        if self.shelf.hashed {
            self.rows.keys.hashes().iter().for_each(|hash| head.extend_from_slice(&hash.to_be_bytes()));
        }
        put(Family::Trace, self.shelf.key_of(CHUNK, self.number), head);
        for (page, start) in (0..length).step_by(PAGE).enumerate() {
            let part = self.rows.rows.slice(start, PAGE.min(length - start));
            put(Family::Trace, self.shelf.page_key(self.number, page as u32), page::to_bytes(&part)?);
        }
        Ok(())
    }
}
