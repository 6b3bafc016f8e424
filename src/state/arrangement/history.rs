//! What left an arrangement while readers still hold an earlier view of it: how they find a row by its key that is no
//! longer in the chain of its key.

use crate::state::row_at::RowAt;
use std::sync::{Arc, Weak};

/// Held by the reader of a view: the view's number.
#[derive(Debug)]
pub struct Pin(u64);

#[derive(Default)]
pub struct History {
    /// Views given out.
    views: u64,
    held: Vec<Weak<Pin>>,
    /// In the order in which they left.
    gone: Vec<Gone>,
}

struct Gone {
    /// The newest view that has the row.
    view: u64,
    /// Of the row's key.
    hash: u64,
    at: RowAt,
}

impl History {
    /// The number of one more view. What no held view needs is forgotten.
    pub fn pin(&mut self) -> Arc<Pin> {
        self.views += 1;
        self.held.retain(|pin| pin.strong_count() > 0);
        let oldest = self.held.iter().filter_map(Weak::upgrade).map(|pin| pin.0).min().unwrap_or(self.views);
        let needless = self.gone.partition_point(|gone| gone.view < oldest);
        self.gone.drain(..needless);
        let pin = Arc::new(Pin(self.views));
        self.held.push(Arc::downgrade(&pin));
        pin
    }

    /// A row leaves the chain of its key.
    pub fn leave(&mut self, hash: u64, at: RowAt) {
        if !self.held.is_empty() {
            self.gone.push(Gone { view: self.views, hash, at });
        }
    }

    /// The rows that left after the view, with the hashes of their keys.
    pub fn gone_since(&self, view: &Pin) -> impl Iterator<Item = (u64, RowAt)> + '_ {
        let from = self.gone.partition_point(|gone| gone.view < view.0);
        self.gone[from..].iter().map(|gone| (gone.hash, gone.at))
    }

    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.gone.is_empty()
    }

    /// Memory in bytes, an estimate.
    pub fn bytes(&self) -> usize {
        self.gone.capacity() * size_of::<Gone>()
    }
}
