//! A leaf: the entries of a stretch of keys, in memory or in the store alone, and what of them the store has.

use std::sync::Arc;

use crate::state::blob::Blob;
use crate::state::error::StateError;

use super::entries::Entries;

/// So many touched keys have a leaf written whole.
const MANY: usize = 16;

#[derive(Default)]
pub struct Leaf {
    /// Its own while it is in memory, never that of another leaf.
    pub number: u32,
    held: Held,
    /// How many entries it has; known of one that is away too.
    live: u32,
    /// It is in the store alone, and took so many bytes.
    pub away: Option<u32>,
    /// The blob, and its part, that is the leaf as of some moment.
    pub stored: Option<(u64, u32)>,
    /// Whether the store has single entries of its stretch, which count before it.
    pub singles: bool,
    /// When it was touched last, in the budget's time.
    pub used: u64,
    pub touched: Touched,
}

/// What of a leaf changed since the last checkpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Touched {
    Keys(Vec<Box<[u8]>>),
    Whole,
}

/// The entries of a leaf: its own, or until they change the same as those that are being written.
enum Held {
    Own(Entries),
    Frozen(Arc<Entries>),
}

impl Default for Touched {
    fn default() -> Touched {
        Touched::Keys(Vec::new())
    }
}

impl Touched {
    pub fn is_nothing(&self) -> bool {
        matches!(self, Touched::Keys(keys) if keys.is_empty())
    }
}

impl Default for Held {
    fn default() -> Held {
        Held::Own(Entries::default())
    }
}

impl Leaf {
    /// Of the last entries of another, of which the store may have single ones.
    pub fn right(number: u32, entries: Entries, left: &Leaf) -> Leaf {
        let live = entries.len() as u32;
        Leaf { number, live, held: Held::Own(entries), touched: Touched::Whole, singles: left.singles, used: left.used, ..Leaf::default() }
    }

    /// One that is in the store alone.
    pub fn away(number: u32, stored: (u64, u32), live: u32, bytes: u32) -> Leaf {
        Leaf { number, live, away: Some(bytes), stored: Some(stored), ..Leaf::default() }
    }

    pub fn live(&self) -> usize {
        self.live as usize
    }

    /// Nothing of a leaf that is away.
    pub fn entries(&self) -> &Entries {
        match &self.held {
            Held::Own(entries) => entries,
            Held::Frozen(entries) => entries,
        }
    }

    /// Does something to the entries; those that are being written are left as they are.
    pub fn change<T>(&mut self, change: impl FnOnce(&mut Entries) -> T) -> T {
        let mut entries = match std::mem::take(&mut self.held) {
            Held::Own(entries) => entries,
            Held::Frozen(entries) => Arc::unwrap_or_clone(entries),
        };
        let changed = change(&mut entries);
        self.live = entries.len() as u32;
        self.held = Held::Own(entries);
        changed
    }

    /// Notes that the key's entry is another; true when it is the first of the leaf.
    pub fn touch(&mut self, key: &[u8]) -> bool {
        let is_first = self.touched.is_nothing();
        if let Touched::Keys(keys) = &mut self.touched {
            match keys.len() < MANY {
                true if keys.iter().any(|known| &**known == key) => {}
                true => keys.push(key.into()),
                false => self.touched = Touched::Whole,
            }
        }
        is_first
    }

    /// Memory in bytes.
    pub fn bytes(&self) -> usize {
        self.entries().capacity()
    }

    /// Whether nothing would be lost if it left memory.
    pub fn is_stored(&self) -> bool {
        self.touched.is_nothing() && self.stored.is_some() && !self.singles
    }

    /// Lets go of what the store has.
    pub fn evict(&mut self) {
        self.away = Some(self.bytes() as u32);
        self.held = Held::default();
    }

    /// Takes the leaf's entries, as they are stored. False when they are not as many as it has.
    pub fn take(&mut self, entries: Entries) -> bool {
        let same = entries.len() == self.live();
        (self.held, self.away) = (Held::Own(entries), None);
        same
    }

    /// The entries as they are now, to be written beside changes of them.
    pub fn freeze(&mut self) -> Arc<Entries> {
        let entries = match std::mem::take(&mut self.held) {
            Held::Own(entries) => Arc::new(entries),
            Held::Frozen(entries) => entries,
        };
        self.held = Held::Frozen(entries.clone());
        entries
    }
}

/// Leaves on their way to the store, each a part of one blob.
#[derive(Default)]
pub struct Frozen {
    leaves: Vec<Arc<Entries>>,
    bytes: usize,
}

impl Frozen {
    /// The part that the leaf is.
    pub fn add(&mut self, leaf: &mut Leaf) -> u32 {
        self.bytes += leaf.entries().size() + 4 * leaf.live();
        self.leaves.push(leaf.freeze());
        self.leaves.len() as u32 - 1
    }

    pub fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Blob for Frozen {
    fn parts(self: Box<Self>, put: &mut dyn FnMut(&[u8]) -> Result<(), StateError>) -> Result<(), StateError> {
        // One after the other is let go of, and need not be there twice any more.
        self.leaves.into_iter().try_for_each(|entries| put(&entries.stored()))
    }
}
