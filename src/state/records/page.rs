//! A page of records: the keys and the records of some slots next to each other, in memory or in the store alone.
//!
//! A row is where the slot's key lies, and its record. One of zeros is the row of a slot without a record. The rows of a page
//! lie one after the other and its keys behind each other, in memory as in the store: a page is stored as it is.
//!
//! ```text
//! row: start of the key among the page's keys, 4 bytes | its length and one, 4 bytes | record
//! stored: number of rows up to the last one with a record, 4 bytes | rows | keys
//! a single record, stored beside its page: length of the key, 4 bytes | key | record
//! ```
//!
//! Numbers are little endian.

use std::sync::Arc;

use crate::state::blob::Blob;
use crate::state::error::StateError;

use super::slot_set::{PAGE, SlotSet};

/// Bytes of a row before its record.
const PLACE: usize = 8;

/// So much of the space of keys may be of keys that are gone.
const FREED: usize = 1 << 10;

#[derive(Default)]
pub struct Page {
    held: Held,
    freed: u32,
    /// How many slots have a record; known of a page that is away too.
    live: u16,
    /// It is in the store alone, and took so many bytes.
    pub away: Option<u32>,
    /// The segment that its keys are found by then.
    pub cold: Option<u64>,
    /// The blob, and its part, that is the page as of some moment.
    pub stored: Option<(u64, u32)>,
    /// Whether the store has single records that count before it.
    pub singles: bool,
    /// When it was touched last, in the budget's time.
    pub used: u64,
    /// Slots that were touched since the last checkpoint.
    pub touched: SlotSet,
}

/// The bytes of a page: its own, or until it is changed the same as those that are being written.
enum Held {
    Own(Body),
    Frozen(Arc<Body>),
}

/// Rows and keys; nothing of a page that is away.
#[derive(Clone, Default)]
struct Body {
    rows: Box<[u8]>,
    keys: Vec<u8>,
}

impl Default for Held {
    fn default() -> Held {
        Held::Own(Body::default())
    }
}

impl Page {
    fn body(&self) -> &Body {
        match &self.held {
            Held::Own(body) => body,
            Held::Frozen(body) => body,
        }
    }

    /// The bytes, to be changed: those that are being written are left as they are.
    fn body_mut(&mut self) -> &mut Body {
        self.thaw();
        match &mut self.held {
            Held::Own(body) => body,
            Held::Frozen(body) => Arc::make_mut(body),
        }
    }

    /// Makes the bytes the page's own, as they are before they change.
    pub fn thaw(&mut self) {
        if let Held::Frozen(_) = self.held
            && let Held::Frozen(body) = std::mem::take(&mut self.held)
        {
            self.held = Held::Own(Arc::unwrap_or_clone(body));
        }
    }

    pub fn live(&self) -> usize {
        usize::from(self.live)
    }

    /// Gives a slot without a record one of zeros, of that width, under the key.
    pub fn add(&mut self, slot: usize, width: usize, key: &[u8]) {
        let stride = PLACE + width;
        let body = self.body_mut();
        if body.rows.is_empty() {
            body.rows = vec![0; PAGE * stride].into();
        }
        let place = Place { start: body.keys.len(), end: body.keys.len() + key.len() };
        body.keys.extend_from_slice(key);
        if slot == PAGE - 1 {
            // The last slot is taken: no more is kept than is needed.
            body.keys.shrink_to_fit();
        }
        place.put(&mut body.rows[slot * stride..]);
        self.live += 1;
    }

    /// Takes the slot's record away, if it has one.
    pub fn remove(&mut self, slot: usize, width: usize) {
        let Some(place) = self.body().place(slot, width) else { return };
        let stride = PLACE + width;
        self.body_mut().rows[slot * stride..][..stride].fill(0);
        self.live -= 1;
        self.freed += (place.end - place.start) as u32;
        if self.freed as usize > FREED && self.freed as usize > self.body().keys.len() / 2 {
            self.body_mut().compact_keys(width);
            self.freed = 0;
        }
    }

    /// The key of a slot that has a record.
    pub fn key(&self, slot: usize, width: usize) -> Option<&[u8]> {
        self.body().key(slot, width)
    }

    pub fn record(&self, slot: usize, width: usize) -> &[u8] {
        &self.body().rows[slot * (PLACE + width)..][PLACE..][..width]
    }

    pub fn record_mut(&mut self, slot: usize, width: usize) -> &mut [u8] {
        &mut self.body_mut().rows[slot * (PLACE + width)..][PLACE..][..width]
    }

    /// The slots with a record, and their keys.
    pub fn entries(&self, width: usize) -> impl Iterator<Item = (usize, &[u8])> {
        (0..PAGE).filter_map(move |slot| Some((slot, self.key(slot, width)?)))
    }

    /// Memory in bytes.
    pub fn bytes(&self) -> usize {
        let body = self.body();
        body.rows.len() + body.keys.capacity()
    }

    /// Lets go of what the store has; its keys are found by that segment.
    pub fn evict(&mut self, segment: u64) {
        (self.away, self.cold) = (Some(self.bytes() as u32), Some(segment));
        (self.held, self.freed) = (Held::default(), 0);
    }

    /// Takes stored bytes for the page's. False when they are none of a page.
    pub fn take(&mut self, stored: &[u8], width: usize) -> bool {
        let Some(body) = Body::of(stored, width) else { return false };
        let lengths = (0..PAGE).filter_map(|slot| body.place(slot, width)).map(|place| place.end - place.start);
        let (live, used) = lengths.fold((0, 0), |(live, used), length| (live + 1, used + length));
        (self.live, self.freed) = (live, body.keys.len().saturating_sub(used) as u32);
        (self.held, self.away) = (Held::Own(body), None);
        true
    }

    /// The page as it is now, to be written beside changes of it.
    fn freeze(&mut self) -> Arc<Body> {
        let body = match std::mem::take(&mut self.held) {
            Held::Own(body) => Arc::new(body),
            Held::Frozen(body) => body,
        };
        self.held = Held::Frozen(body.clone());
        body
    }

    /// A record with its key, as it is stored beside its page.
    pub fn single(&self, slot: usize, width: usize) -> Option<Vec<u8>> {
        let key = self.key(slot, width)?;
        Some([&(key.len() as u32).to_le_bytes()[..], key, self.record(slot, width)].concat())
    }
}

/// Where a key lies among those of its page.
struct Place {
    start: usize,
    end: usize,
}

impl Place {
    /// Of the row that begins there, if it has a record.
    fn of(row: &[u8]) -> Option<Place> {
        let (start, rest) = row.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*rest.first_chunk::<4>()?) as usize;
        let start = u32::from_le_bytes(*start) as usize;
        length.checked_sub(1).map(|length| Place { start, end: start + length })
    }

    fn put(&self, row: &mut [u8]) {
        row[..4].copy_from_slice(&(self.start as u32).to_le_bytes());
        row[4..PLACE].copy_from_slice(&((self.end - self.start) as u32 + 1).to_le_bytes());
    }
}

impl Body {
    fn place(&self, slot: usize, width: usize) -> Option<Place> {
        Place::of(self.rows.get(slot * (PLACE + width)..)?)
    }

    fn key(&self, slot: usize, width: usize) -> Option<&[u8]> {
        let place = self.place(slot, width)?;
        self.keys.get(place.start..place.end)
    }

    /// Writes the keys anew, without those that are not asked for any more.
    fn compact_keys(&mut self, width: usize) {
        let old = std::mem::take(&mut self.keys);
        for row in self.rows.chunks_exact_mut(PLACE + width) {
            if let Some(place) = Place::of(row) {
                let start = self.keys.len();
                self.keys.extend_from_slice(&old[place.start..place.end]);
                Place { start, end: self.keys.len() }.put(row);
            }
        }
    }

    fn stored(&self, width: usize) -> Vec<u8> {
        let count = (0..PAGE).rev().find(|slot| self.place(*slot, width).is_some()).map_or(0, |last| last + 1);
        [&(count as u32).to_le_bytes()[..], &self.rows[..count * (PLACE + width)], &self.keys].concat()
    }

    /// `None` for bytes that are no page of records of that width.
    fn of(stored: &[u8], width: usize) -> Option<Body> {
        let stride = PLACE + width;
        let (count, rest) = stored.split_first_chunk::<4>()?;
        let count = u32::from_le_bytes(*count) as usize;
        let (some, keys) = rest.split_at_checked(count.checked_mul(stride).filter(|_| count <= PAGE)?)?;
        let mut rows = vec![0; PAGE * stride];
        rows[..some.len()].copy_from_slice(some);
        let body = Body { rows: rows.into(), keys: keys.to_vec() };
        let fits = (0..count).all(|slot| body.place(slot, width).is_none_or(|place| place.end <= keys.len()));
        fits.then_some(body)
    }
}

/// Pages on their way to the store, each a part of one blob.
pub struct Frozen {
    width: usize,
    bodies: Vec<Arc<Body>>,
    bytes: usize,
}

impl Frozen {
    pub fn new(width: usize) -> Frozen {
        Frozen { width, bodies: Vec::new(), bytes: 0 }
    }

    pub fn add(&mut self, page: &mut Page) {
        self.bytes += page.bytes();
        self.bodies.push(page.freeze());
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Blob for Frozen {
    fn parts(self: Box<Self>, put: &mut dyn FnMut(&[u8]) -> Result<(), StateError>) -> Result<(), StateError> {
        let width = self.width;
        // One after the other is let go of, and need not be there twice any more.
        self.bodies.into_iter().try_for_each(|body| put(&body.stored(width)))
    }
}

/// The key and the record of a single that was stored; `None` when it is none.
pub fn single(bytes: &[u8], width: usize) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    let (key, record) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
    (record.len() == width).then_some((key, record))
}
