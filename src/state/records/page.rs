//! A page of records: the keys and the records of some slots next to each other, in memory or in the store alone.
//!
//! ```text
//! stored: for each record: slot in the page, 1 byte | entry
//! entry: length of the key, 4 bytes little endian | key | record
//! ```

/// Slots of a page.
pub const PAGE: usize = 256;

/// So much of the space of keys may be of keys that are gone.
const FREED: usize = 1 << 10;

#[derive(Default)]
pub struct Page {
    /// Of all slots, one after the other; empty while the page is away.
    records: Box<[u8]>,
    keys: Vec<u8>,
    freed: u32,
    /// Slots that were touched since the last checkpoint.
    pub touched: u16,
    /// What the store has of it.
    pub whole: bool,
    pub singles: bool,
    /// It is in the store alone, and took so many bytes.
    pub away: Option<u32>,
    /// When it was touched last, in the budget's time.
    pub used: u64,
}

/// Where a key lies in its page.
#[derive(Clone, Copy, Default)]
pub struct KeyPlace {
    start: u32,
    len: u32,
}

impl Page {
    /// Makes room for records of that width.
    pub fn open(&mut self, width: usize) {
        if self.records.is_empty() {
            self.records = vec![0; PAGE * width].into();
        }
    }

    pub fn key(&self, place: KeyPlace) -> &[u8] {
        &self.keys[place.start as usize..][..place.len as usize]
    }

    pub fn add_key(&mut self, key: &[u8]) -> KeyPlace {
        let start = self.keys.len() as u32;
        self.keys.extend_from_slice(key);
        KeyPlace { start, len: key.len() as u32 }
    }

    /// The page's last slot is taken: no more is kept than is needed.
    pub fn is_full(&mut self) {
        self.keys.shrink_to_fit();
    }

    /// The key is not asked for any more.
    pub fn free_key(&mut self, place: KeyPlace) {
        self.freed += place.len;
    }

    /// Whether most of the space of keys is of keys that are gone.
    pub fn is_wasteful(&self) -> bool {
        self.freed as usize > FREED && self.freed as usize > self.keys.len() / 2
    }

    /// Writes the keys anew, of those places.
    pub fn compact_keys<'a>(&mut self, places: impl Iterator<Item = &'a mut KeyPlace>) {
        let old = std::mem::take(&mut self.keys);
        self.freed = 0;
        for place in places {
            *place = self.add_key(&old[place.start as usize..][..place.len as usize]);
        }
    }

    pub fn record(&self, slot: usize, width: usize) -> &[u8] {
        &self.records[slot * width..][..width]
    }

    pub fn record_mut(&mut self, slot: usize, width: usize) -> &mut [u8] {
        &mut self.records[slot * width..][..width]
    }

    /// Memory in bytes.
    pub fn bytes(&self) -> usize {
        self.records.len() + self.keys.capacity()
    }

    /// Lets go of what the store has.
    pub fn evict(&mut self) {
        self.away = Some(self.bytes() as u32);
        (self.records, self.keys, self.freed) = (Box::default(), Vec::new(), 0);
    }

    pub fn put_entry(&self, (slot, key): (usize, KeyPlace), width: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(&key.len.to_le_bytes());
        out.extend_from_slice(self.key(key));
        out.extend_from_slice(self.record(slot, width));
    }
}

/// An entry's key and record, and what is behind it; `None` when it is none.
pub fn entry(bytes: &[u8], width: usize) -> Option<((&[u8], &[u8]), &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    let (key, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
    let (record, rest) = rest.split_at_checked(width)?;
    Some(((key, record), rest))
}

/// Visits the entries of a stored page with their slots. False when it is none.
pub fn entries<'a>(mut bytes: &'a [u8], width: usize, mut visit: impl FnMut(u8, &'a [u8], &'a [u8])) -> bool {
    while let Some((slot, rest)) = bytes.split_first() {
        let Some(((key, record), rest)) = entry(rest, width) else { return false };
        visit(*slot, key, record);
        bytes = rest;
    }
    true
}
