//! Where chains begin: of the rows whose keys have one hash the newest.
//!
//! Half of the hash is kept, and a place in four bytes as long as it is near ([`super::places`]). Keys whose hashes have one half share
//! a chain: few do, and who walks along it looks at the keys anyway.

use hashbrown::HashTable;

use crate::state::row_at::{NONE, RowAt};

use super::places::{long, short};

pub struct Heads(Held);

enum Held {
    Short(Table<u32>),
    Long(Table<RowAt>),
}

/// Places by half of a hash.
struct Table<P>(HashTable<(u32, P)>);

impl Default for Heads {
    fn default() -> Heads {
        Heads(Held::Short(Table(HashTable::new())))
    }
}

/// The half that is kept.
fn half(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// A hash for the table: its upper and its lower bits are both looked at.
fn spread(half: u32) -> u64 {
    u64::from(half).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Heads {
    /// The newest row of a hash.
    #[inline]
    pub fn get(&self, hash: u64) -> RowAt {
        match &self.0 {
            Held::Short(table) => table.get(half(hash)).map_or(NONE, long),
            Held::Long(table) => table.get(half(hash)).unwrap_or(NONE),
        }
    }

    /// Sets the newest row of a hash; the one that was it before.
    #[inline]
    pub fn replace(&mut self, hash: u64, at: RowAt) -> RowAt {
        match (&mut self.0, short(at)) {
            (Held::Short(table), Some(short)) => table.replace(half(hash), short).map_or(NONE, long),
            (Held::Long(table), _) => table.replace(half(hash), at).unwrap_or(NONE),
            (Held::Short(_), None) => {
                self.lengthen();
                self.replace(hash, at)
            }
        }
    }

    /// If the newest row of the hash is that one, it is `to` from here on, or none; whether it was.
    pub fn lead_past(&mut self, hash: u64, at: RowAt, to: RowAt) -> bool {
        if self.get(hash) != at {
            return false;
        }
        match (&mut self.0, to) {
            (Held::Short(table), NONE) => table.remove(half(hash)),
            (Held::Long(table), NONE) => table.remove(half(hash)),
            _ => drop(self.replace(hash, to)),
        }
        true
    }

    /// Has each be what `change` makes of it, which is a place as near as one of the chain's, or none.
    pub fn change_all(&mut self, mut change: impl FnMut(RowAt) -> RowAt) {
        match &mut self.0 {
            // A chain's places are all as near as its head, or the table would not be of short ones.
            Held::Short(table) => table.change_all(|at| short(change(long(at))).filter(|to| long(*to) != NONE)),
            Held::Long(table) => table.change_all(|at| Some(change(at)).filter(|to| *to != NONE)),
        }
    }

    /// Memory in bytes.
    pub fn bytes(&self) -> usize {
        match &self.0 {
            Held::Short(table) => table.0.allocation_size(),
            Held::Long(table) => table.0.allocation_size(),
        }
    }

    #[cold]
    fn lengthen(&mut self) {
        let Held::Short(table) = &mut self.0 else { return };
        let mut longer = HashTable::with_capacity(table.0.len() + 1);
        for (half, at) in table.0.drain() {
            longer.insert_unique(spread(half), (half, long(at)), |(half, _): &(u32, RowAt)| spread(*half));
        }
        self.0 = Held::Long(Table(longer));
    }
}

impl<P: Copy> Table<P> {
    #[inline]
    fn get(&self, half: u32) -> Option<P> {
        self.0.find(spread(half), |(other, _)| *other == half).map(|(_, at)| *at)
    }

    #[inline]
    fn replace(&mut self, half: u32, at: P) -> Option<P> {
        match self.0.find_mut(spread(half), |(other, _)| *other == half) {
            Some((_, head)) => Some(std::mem::replace(head, at)),
            None => {
                self.0.insert_unique(spread(half), (half, at), |(half, _)| spread(*half));
                None
            }
        }
    }

    fn remove(&mut self, half: u32) {
        if let Ok(entry) = self.0.find_entry(spread(half), |(other, _)| *other == half) {
            entry.remove();
        }
    }

    /// `change` gives none for one that goes.
    fn change_all(&mut self, mut change: impl FnMut(P) -> Option<P>) {
        self.0.retain(|(_, at)| match change(*at) {
            Some(to) => {
                *at = to;
                true
            }
            None => false,
        });
        if self.0.len() < self.0.capacity() / 4 {
            self.0.shrink_to(self.0.len() * 2, |(half, _)| spread(*half));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: RowAt = RowAt { chunk: 1 << 20, row: 5 };

    fn at(number: u32) -> RowAt {
        RowAt { chunk: number / 100, row: number % 100 }
    }

    /// A hash whose upper half is another one for each number.
    fn hash(number: u32) -> u64 {
        u64::from(number.wrapping_mul(0x9e37_79b1)) << 32 | 7
    }

    #[test]
    fn heads_near_and_far() {
        let mut heads = Heads::default();
        for number in 0..2000 {
            assert_eq!(heads.replace(hash(number), at(number)), NONE);
        }
        assert!(heads.bytes() <= 4096 * 9 + 64, "{} bytes", heads.bytes());
        assert_eq!(heads.replace(hash(7), at(5000)), at(7));
        assert!(!heads.lead_past(hash(7), at(7), NONE) && heads.lead_past(hash(7), at(5000), at(7)));
        assert!(heads.lead_past(hash(8), at(8), NONE));
        for far in [false, true] {
            if far {
                assert_eq!(heads.replace(hash(9), FAR), at(9));
            }
            assert_eq!((heads.get(hash(8)), heads.get(hash(7)), heads.get(hash(1999))), (NONE, at(7), at(1999)));
        }
        assert_eq!(heads.get(hash(9)), FAR);
        assert!(heads.lead_past(hash(9), FAR, at(9)) && heads.lead_past(hash(10), at(10), NONE));
        assert_eq!((heads.get(hash(9)), heads.get(hash(10))), (at(9), NONE));
    }

    #[test]
    fn all_are_changed_at_once() {
        for far in [false, true] {
            let mut heads = Heads::default();
            for number in 0..2000 {
                heads.replace(hash(number), at(number));
            }
            if far {
                heads.replace(hash(2000), FAR);
            }
            let before = heads.bytes();
            heads.change_all(|head| match head.row % 10 {
                0 => RowAt { row: head.row + 1, ..head },
                _ => NONE,
            });
            assert!(heads.bytes() < before / 2);
            for number in 0..2000 {
                let expected = if number % 10 == 0 { at(number + 1) } else { NONE };
                assert_eq!(heads.get(hash(number)), expected);
            }
        }
    }
}
