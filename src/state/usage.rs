//! What state holds, in memory and in the store alone.

/// How often a page was wanted of rows that are not in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageCounts {
    /// It was in the cache.
    pub found: u64,
    /// It was read from the store.
    pub read: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub entries: usize,
    /// Memory, an estimate.
    pub bytes: usize,
    /// Rows that are in the store alone: the memory that they took, an estimate.
    pub evicted: usize,
    pub pages: PageCounts,
}

impl Usage {
    pub fn plus(self, more: Usage) -> Usage {
        Usage {
            entries: self.entries + more.entries,
            bytes: self.bytes + more.bytes,
            evicted: self.evicted + more.evicted,
            pages: PageCounts { found: self.pages.found + more.pages.found, read: self.pages.read + more.pages.read },
        }
    }

    /// What is left without a part of it, whenever that was measured.
    pub fn minus(self, part: Usage) -> Usage {
        Usage {
            entries: self.entries.saturating_sub(part.entries),
            bytes: self.bytes.saturating_sub(part.bytes),
            evicted: self.evicted.saturating_sub(part.evicted),
            pages: PageCounts {
                found: self.pages.found.saturating_sub(part.pages.found),
                read: self.pages.read.saturating_sub(part.pages.read),
            },
        }
    }
}
