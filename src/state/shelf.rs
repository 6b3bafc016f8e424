//! Where the rows of one trace lie in the store: chunks, each a blob of pages, read again when they are not in memory.
//!
//! A chunk in the store never changes; [`super::blobs`] says how long it stays.
//!
//! ```text
//! chunk: trace | blob, 8 bytes -> rows, 4 bytes | their size in memory, 8 bytes
//! the blob's parts: pages of rows, see page.rs; and a hash of each row's key, 8 bytes, if rows are found by one
//! ```
//!
//! Numbers are big endian.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::{Field, SchemaRef};

use crate::types::TraceId;

use super::blob::{Blob, part_from};
use super::blobs::Blobs;
use super::budget::Budget;
use super::column::Column;
use super::dictionary::Dictionaries;
use super::error::StateError;
use super::family::Family;
use super::fetched::{Fetched, Pages};
use super::fixed_rows::FixedRows;
use super::key_layout::{entry_key, entry_of, trace_prefix};
use super::ordered::LeafInStore;
use super::page::{self, PAGE};
use super::scratch::Scratch;
use super::store::Store;
use super::usage::PageCounts;
use super::writes::Writes;

/// Hashes that are read at once, about.
const HASHES: usize = 1 << 18;
/// Pages that are read at once: what a batch needs of them is taken out before the next ones come.
const PAGES: usize = 32;

pub struct Shelf {
    store: Arc<Store>,
    id: TraceId,
    schema: SchemaRef,
    key: Arc<[usize]>,
    /// Whether rows are found by their key.
    hashed: bool,
    budget: Arc<Budget>,
    blobs: Arc<Blobs>,
    /// Bytes of rows in memory, and of those that are in the store alone.
    resident: AtomicUsize,
    evicted: AtomicUsize,
    found: AtomicU64,
    read: AtomicU64,
    /// By column, where its texts may go; none where texts stay with their rows.
    dictionaries: Dictionaries,
}

/// A chunk of the store, as a start sees it.
pub struct Stored {
    pub number: u64,
    pub rows: usize,
    /// What they took in memory.
    pub bytes: usize,
}

impl Shelf {
    /// The shelf of rows of that schema, which are found by a key if there is one.
    pub fn new(store: Arc<Store>, id: TraceId, schema: SchemaRef, key: Option<&[usize]>, budget: Arc<Budget>, blobs: Arc<Blobs>) -> Shelf {
        let (found, read) = (AtomicU64::default(), AtomicU64::default());
        let (resident, evicted) = (AtomicUsize::default(), AtomicUsize::default());
        let (hashed, key) = (key.is_some(), key.unwrap_or_default().into());
        Shelf { store, id, schema, key, hashed, budget, blobs, resident, evicted, found, read, dictionaries: Vec::new() }
    }

    /// Dictionaries for the columns that may have one. For rows that are seldom wanted whole.
    pub fn dictionaries(&self) -> Dictionaries {
        let of = |(place, field): (usize, &Arc<Field>)| {
            let wanted = Column::may_have_numbers(field.data_type()) && !self.key.contains(&place);
            wanted.then(Arc::default)
        };
        self.schema.fields().iter().enumerate().map(of).collect()
    }

    /// The same shelf, where a column of few texts has each once.
    pub fn with(self, dictionaries: Dictionaries) -> Shelf {
        Shelf { dictionaries, ..self }
    }

    pub fn has_dictionaries(&self) -> bool {
        !self.dictionaries.is_empty()
    }

    /// Rows as they stay in memory.
    pub fn fixed(&self, rows: &RecordBatch) -> Result<FixedRows, StateError> {
        FixedRows::new(rows, &self.key, &self.dictionaries)
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
            true => self.evicted.fetch_add(bytes, Ordering::Relaxed),
            false => self.evicted.fetch_sub(bytes, Ordering::Relaxed),
        };
    }

    /// Bytes of rows in memory, and of the texts that the shards share.
    pub fn resident_bytes(&self) -> usize {
        let shared = self.dictionaries.iter().flatten().filter(|_| self.id.shard == 0);
        self.resident.load(Ordering::Relaxed) + shared.map(|dictionary| dictionary.bytes()).sum::<usize>()
    }

    pub fn evicted_bytes(&self) -> usize {
        self.evicted.load(Ordering::Relaxed)
    }

    pub fn counts(&self) -> PageCounts {
        PageCounts { found: self.found.load(Ordering::Relaxed), read: self.read.load(Ordering::Relaxed) }
    }

    /// Those rows, each named by its chunk's number and its place in there, out of the pages that they lie on.
    pub fn fetch(&self, mut wanted: Vec<(u64, u32)>) -> Result<Fetched, StateError> {
        wanted.sort_unstable();
        wanted.dedup();
        let mut fetched = Fetched::default();
        let page = |(chunk, row): (u64, u32)| (chunk, row / PAGE as u32);
        let by_page: Vec<&[(u64, u32)]> = wanted.chunk_by(|a, b| page(*a) == page(*b)).collect();
        let mut rest = &wanted[..];
        for some in by_page.chunks(PAGES) {
            let pages = self.pages(some.iter().map(|rows| page(rows[0])).collect())?;
            let (now, later) = rest.split_at(some.iter().map(|rows| rows.len()).sum());
            fetched.add(&pages, now, (&self.schema, &self.key))?;
            rest = later;
        }
        Ok(fetched)
    }

    /// The pages, which are sorted; what the cache does not have is read at once.
    fn pages(&self, mut wanted: Vec<(u64, u32)>) -> Result<Pages, StateError> {
        let mut pages = Pages::with_capacity(wanted.len());
        self.budget.cache.find(&mut wanted, |place, rows| {
            pages.insert(place, rows);
        });
        self.found.fetch_add(pages.len() as u64, Ordering::Relaxed);
        self.read_each(&wanted, |place, rows, bytes| {
            let rows = Arc::new(FixedRows::counted(rows, &self.key, bytes)?);
            self.budget.cache.keep(place, &rows);
            pages.insert(place, rows);
            Ok(())
        })?;
        Ok(pages)
    }

    /// Rows `from..from + length` of a chunk; the cache is left as it is.
    pub fn rows(&self, chunk: u64, from: usize, length: usize) -> Result<RecordBatch, StateError> {
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
    pub fn chunk(&self, chunk: u64, length: usize) -> Result<FixedRows, StateError> {
        let rows = self.rows(chunk, 0, length)?;
        // Columns of a single page lie in one buffer.
        let bytes = if length > PAGE { rows.get_array_memory_size() } else { rows.get_array_memory_size() / rows.num_columns().max(1) };
        FixedRows::counted(rows, &self.key, bytes)
    }

    fn read_each(
        &self,
        wanted: &[(u64, u32)],
        mut take: impl FnMut((u64, u32), RecordBatch, usize) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        if wanted.is_empty() {
            return Ok(());
        }
        self.read.fetch_add(wanted.len() as u64, Ordering::Relaxed);
        for (place, value) in wanted.iter().zip(self.blobs.get(wanted)?) {
            let bytes = value.len();
            take(*place, page::from_bytes(&self.schema, value)?, bytes)?;
        }
        Ok(())
    }

    fn missing(&self, chunk: u64) -> StateError {
        StateError::corrupted(format!("rows of chunk {chunk} of trace {} are missing", self.id))
    }

    /// The chunks that the store has, in the order of their numbers, which is the one in which they were put.
    pub fn stored(&self) -> Result<Vec<Stored>, StateError> {
        let mut stored = Vec::new();
        self.each(Family::Chunk, &[], &mut |number, value| {
            let size = value.split_first_chunk::<4>().and_then(|(rows, bytes)| Some((rows, bytes.try_into().ok()?)));
            let (rows, bytes) = size.ok_or_else(|| StateError::corrupted(format!("a chunk of trace {} cannot be read", self.id)))?;
            stored.push(Stored { number, rows: u32::from_be_bytes(*rows) as usize, bytes: u64::from_be_bytes(bytes) as usize });
            Ok(())
        })?;
        Ok(stored)
    }

    /// Visits those chunks with the hash of each row's key.
    pub fn each_hashed(
        &self,
        stored: &[Stored],
        visit: &mut dyn FnMut(&Stored, Vec<u64>) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        let mut rest = stored;
        while !rest.is_empty() {
            let sums = rest.iter().scan(0, |sum, chunk| Some(std::mem::replace(sum, *sum + chunk.rows)));
            let (now, later) = rest.split_at(sums.take_while(|before| *before < HASHES).count());
            let parts: Vec<(u64, u32)> = now.iter().map(|chunk| (chunk.number, pages(chunk.rows))).collect();
            for (chunk, bytes) in now.iter().zip(self.blobs.get(&parts)?) {
                let hashes: Vec<u64> = bytes.chunks_exact(8).filter_map(|word| word.try_into().ok()).map(u64::from_be_bytes).collect();
                if bytes.len() != chunk.rows * 8 {
                    return Err(self.missing(chunk.number));
                }
                visit(chunk, hashes)?;
            }
            rest = later;
        }
        Ok(())
    }

    pub fn scratch(&self) -> &Scratch {
        self.store.scratch()
    }

    /// Visits what the store has of the trace in a family, behind those bytes, by the chunk's number.
    pub fn each(&self, family: Family, kind: &[u8], visit: &mut dyn FnMut(u64, &[u8]) -> Result<(), StateError>) -> Result<(), StateError> {
        let prefix = entry_key(self.id, kind);
        debug_assert!(prefix.starts_with(&trace_prefix(self.id)));
        self.store.scan_with(family, &prefix, &mut |key, value| {
            let number = entry_of(key).and_then(|entry| entry.get(kind.len()..)?.try_into().ok()).map(u64::from_be_bytes);
            let number = number.ok_or_else(|| StateError::corrupted(format!("an entry of trace {} cannot be read", self.id)))?;
            visit(number, value)
        })
    }

    /// Puts a chunk; its number.
    pub fn put(self: &Arc<Self>, rows: &Arc<FixedRows>, writes: &mut Writes) -> u64 {
        let bytes = rows.bytes() + rows.len() * 8;
        let hashed = self.hashed;
        let number = self.blobs.put(Box::new(ChunkParts { hashed, rows: rows.clone() }), bytes, writes);
        let size = [&(rows.len() as u32).to_be_bytes()[..], &(rows.bytes() as u64).to_be_bytes()].concat();
        writes.put(Family::Chunk, self.key_of(&[], number), size);
        number
    }

    /// The trace has let go of a chunk of so many rows, which stays for as long as somebody reads it.
    pub fn forget(&self, number: u64, rows: usize, writes: &mut Writes) {
        writes.delete(Family::Chunk, self.key_of(&[], number));
        self.blobs.mark_dead(number, parts(rows), writes);
    }

    /// Nobody holds the chunk any more.
    pub fn let_go(&self, number: u64, rows: usize) {
        self.blobs.let_go(number, parts(rows));
    }

    /// The key of something of a chunk.
    pub fn key_of(&self, kind: &[u8], number: u64) -> Vec<u8> {
        entry_key(self.id, &[kind, &number.to_be_bytes()].concat())
    }
}

/// The pages of a chunk of so many rows. Its hashes are the part behind them.
fn pages(rows: usize) -> u32 {
    rows.div_ceil(PAGE) as u32
}

fn parts(rows: usize) -> u32 {
    pages(rows) + 1
}

/// A chunk on its way to the store.
struct ChunkParts {
    hashed: bool,
    rows: Arc<FixedRows>,
}

impl Blob for ChunkParts {
    fn parts(self: Box<Self>, put: &mut dyn FnMut(&[u8]) -> Result<(), StateError>) -> Result<(), StateError> {
        let length = self.rows.len();
        for start in (0..length).step_by(PAGE) {
            put(&page::to_bytes(&self.rows.part(start, PAGE.min(length - start))?)?)?;
        }
        match self.hashed {
            true => put(&self.rows.keys.hashes().iter().flat_map(|hash| hash.to_be_bytes()).collect::<Vec<u8>>()),
            false => put(&[]),
        }
    }
}

/// What the store has of a trace in blobs.
pub enum InStore {
    /// A chunk of rows, which readers of older moments may hold. The trace is there by its prefix.
    Chunk { trace: [u8; 7], blob: u64, parts: u32 },
    /// A page of records, which nobody has but the trace itself.
    Page { blob: u64, part: u32 },
}

/// What the store has in blobs of the traces whose keys begin like that.
pub fn in_store(store: &Store, prefix: &[u8]) -> Result<Vec<InStore>, StateError> {
    let mut found = Vec::new();
    store.scan_with(Family::Chunk, prefix, &mut |key, value| {
        let leaf = LeafInStore::of(value).map(|leaf| InStore::Page { blob: leaf.part.0, part: leaf.part.1 });
        let one = leaf.or_else(|| {
            key.split_first_chunk::<7>().and_then(|(trace, named)| match <[u8; 8]>::try_from(named) {
                Ok(blob) => {
                    let rows = u32::from_be_bytes(*value.first_chunk()?) as usize;
                    Some(InStore::Chunk { trace: *trace, blob: u64::from_be_bytes(blob), parts: parts(rows) })
                }
                Err(_) => part_from(value).map(|(blob, part)| InStore::Page { blob, part }),
            })
        });
        found.push(one.ok_or_else(|| StateError::corrupted(format!("the chunk at {key:02x?} cannot be read")))?);
        Ok(())
    })?;
    Ok(found)
}
