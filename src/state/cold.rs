//! Cold chunks, and pages of records: neither their rows nor how these are found is in memory. Their index lies on the disk, a
//! segment for those that left memory together; of a segment a filter stays ([`SortedIndex`]). Segments of about a size are made
//! one. What is said of chunks here is true of pages too.
//!
//! A segment goes on naming rows that are no longer there, and chunks that came back into memory or are gone: a chunk says
//! itself which segment it is in, and its bits which of its rows are there.

use std::sync::Arc;

use super::error::StateError;
use super::row_at::RowAt;
use super::scratch::Scratch;
use super::sorted_index::{Keep, SortedIndex};

/// The index of some chunks. Readers of earlier moments hold it too.
pub struct Segment {
    /// Given once in a state.
    pub id: u64,
    /// The numbers of its chunks. In the indexes a chunk is its position here.
    pub chunks: Vec<u32>,
    pub by_key: SortedIndex,
    /// By the hash of all columns, where rows are found by that.
    pub by_row: Option<SortedIndex>,
}

/// All segments of one state.
#[derive(Default)]
pub struct Cold {
    segments: Vec<Member>,
    ids: u64,
}

struct Member {
    segment: Arc<Segment>,
    /// Chunks that are in it now.
    chunks: usize,
}

/// Rows are looked for by that.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum By {
    Key,
    Row,
}

/// So many segments of about a size are made one.
const MANY: usize = 8;
/// Segments of fewer entries are of a size.
const SMALL: usize = 4096;

impl Segment {
    /// Whether it can be asked for rows by all their columns.
    fn index(&self, by: By) -> Option<&SortedIndex> {
        match by {
            By::Key => Some(&self.by_key),
            By::Row => self.by_row.as_ref(),
        }
    }

    /// By how many rows it is, in powers of so many as are made one.
    fn size(&self) -> u32 {
        (self.by_key.len() / SMALL).checked_ilog(MANY).map_or(0, |size| size + 1)
    }

    fn bytes(&self) -> usize {
        self.chunks.capacity() * 4 + self.by_key.bytes() + self.by_row.as_ref().map_or(0, SortedIndex::bytes)
    }
}

impl Cold {
    pub fn next_id(&self) -> u64 {
        self.ids + 1
    }

    /// A segment comes; all its chunks are in it.
    pub fn add(&mut self, segment: Segment) {
        self.ids = self.ids.max(segment.id);
        if !segment.chunks.is_empty() {
            self.segments.push(Member { chunks: segment.chunks.len(), segment: Arc::new(segment) });
        }
    }

    /// A segment goes whose chunks are in others by now.
    pub fn remove(&mut self, id: u64) {
        self.segments.retain(|member| member.segment.id != id);
    }

    /// A chunk is no longer in that segment, which goes with its last one.
    pub fn leave(&mut self, id: u64) {
        if let Some(member) = self.segments.iter_mut().find(|member| member.segment.id == id) {
            member.chunks -= 1;
            if member.chunks == 0 {
                self.remove(id);
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// The segments as they are now.
    pub fn segments(&self) -> Vec<Arc<Segment>> {
        self.segments.iter().map(|member| member.segment.clone()).collect()
    }

    /// False when no segment has that hash of a key.
    pub fn may_have(&self, hash: u64) -> bool {
        self.segments.iter().any(|member| member.segment.by_key.may_have(hash))
    }

    /// Some segments that are of about a size, and many.
    pub fn alike(&self) -> Option<Vec<Arc<Segment>>> {
        let mut by_size: Vec<(u32, &Arc<Segment>)> = self.segments.iter().map(|member| (member.segment.size(), &member.segment)).collect();
        by_size.sort_by_key(|(size, _)| *size);
        let alike = by_size.chunk_by(|(a, _), (b, _)| a == b).find(|alike| alike.len() >= MANY)?;
        Some(alike.iter().map(|(_, segment)| (*segment).clone()).collect())
    }

    /// Memory in bytes, an estimate.
    pub fn bytes(&self) -> usize {
        self.segments.iter().map(|member| size_of::<Member>() + member.segment.bytes()).sum()
    }
}

/// One segment of what several have, under that number: of the chunks that are in them now, and of these of the rows that are there.
pub fn together(
    id: u64,
    segments: &[Arc<Segment>],
    is_in: impl Fn(u32, u64) -> bool,
    is_there: impl Fn(RowAt) -> bool,
    scratch: &Scratch,
) -> Result<Segment, StateError> {
    let mut chunks = Vec::new();
    // By segment, for each of its chunks: its number, and what it is in the new one.
    let mut into: Vec<Vec<Option<(u32, u64)>>> = Vec::new();
    for segment in segments {
        let of = segment.chunks.iter().map(|number| {
            is_in(*number, segment.id).then(|| {
                chunks.push(*number);
                (*number, chunks.len() as u64 - 1)
            })
        });
        into.push(of.collect());
    }
    let (into, is_there) = (&into, &is_there);
    let keep = |of: usize| -> Box<Keep> {
        Box::new(move |place| {
            let (chunk, ordinal) = (*into[of].get((place >> 32) as usize)?)?;
            is_there(RowAt { chunk, row: place as u32 }).then_some(ordinal << 32 | u64::from(place as u32))
        })
    };
    let all = |by: By| -> Option<Vec<(&SortedIndex, Box<Keep>)>> {
        segments.iter().enumerate().map(|(of, segment)| Some((segment.index(by)?, keep(of)))).collect()
    };
    let by_key = SortedIndex::merged(&all(By::Key).unwrap_or_default(), scratch)?;
    let by_row = all(By::Row).map(|all| SortedIndex::merged(&all, scratch)).transpose()?;
    Ok(Segment { id, chunks, by_key, by_row })
}

/// What a segment says of some hashes: the position of the hash, the place, and the segment's number.
pub type Named = (u32, RowAt, u64);

/// What those segments say, by the positions of the hashes.
pub fn named(segments: &[Arc<Segment>], by: By, hashes: &[u64]) -> Result<Vec<Named>, StateError> {
    let asked: Vec<(&Segment, &SortedIndex)> = segments.iter().filter_map(|segment| Some((&**segment, segment.index(by)?))).collect();
    let indexes: Vec<&SortedIndex> = asked.iter().map(|(_, index)| *index).collect();
    let mut named = Vec::new();
    for (of, position, place) in SortedIndex::find(&indexes, hashes)? {
        let segment = asked[of as usize].0;
        let chunk = segment.chunks.get((place >> 32) as usize);
        let chunk = *chunk.ok_or_else(|| StateError::corrupted("an index names a chunk that it is not of"))?;
        named.push((position, RowAt { chunk, row: place as u32 }, segment.id));
    }
    named.sort_unstable_by_key(|(position, at, _)| (*position, at.chunk, at.row));
    Ok(named)
}
