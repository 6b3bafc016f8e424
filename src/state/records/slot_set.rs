//! Some slots of a page.

/// Slots of a page.
pub const PAGE: usize = 256;

const WORD: usize = u64::BITS as usize;

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct SlotSet([u64; PAGE / WORD]);

impl SlotSet {
    /// True when the slot was not in it.
    pub fn add(&mut self, slot: usize) -> bool {
        let (word, bit) = (&mut self.0[slot / WORD], 1 << (slot % WORD));
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.0 == [0; PAGE / WORD]
    }

    pub fn iter(&self) -> impl Iterator<Item = usize> + use<> {
        let words = self.0;
        (0..PAGE).filter(move |slot| words[slot / WORD] & 1 << (slot % WORD) != 0)
    }
}
