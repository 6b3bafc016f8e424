//! Filling an index of slots: a stretch of it at a time, because to put slots in as their hashes come is to go all over it and to
//! wait for memory at each.

use hashbrown::HashTable;

/// Slots that are put in at once, and the stretches of the index that they are put into one after the other.
pub const AT_ONCE: usize = 1 << 18;
const STRETCHES: usize = 256;

/// Puts slots, with the hashes of their keys, into an index that has room for them.
pub fn fill(index: &mut HashTable<u32>, slots: &[(u64, u32)]) {
    // The table has a power of two of places, of which it fills seven of eight, and begins to look for a hash at its last bits.
    let places = (index.capacity() * 8 / 7).next_power_of_two() as u64;
    let shift = places.trailing_zeros().saturating_sub(STRETCHES.trailing_zeros());
    let stretch = |hash: u64| ((hash & (places - 1)) >> shift) as usize;
    let mut in_order = vec![(0, 0); slots.len().min(AT_ONCE)];
    for some in slots.chunks(AT_ONCE) {
        let mut next = [0; STRETCHES];
        some.iter().for_each(|(hash, _)| next[stretch(*hash)] += 1);
        let mut sum = 0;
        for count in &mut next {
            sum += std::mem::replace(count, sum);
        }
        for slot in some {
            let at = &mut next[stretch(slot.0)];
            in_order[*at] = *slot;
            *at += 1;
        }
        for (hash, slot) in &in_order[..some.len()] {
            // There is room: no slot is asked for its hash again.
            index.insert_unique(*hash, *slot, |_| 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zset::key_columns::hash_bytes;

    #[test]
    fn every_slot_is_found_once() {
        for count in [0, 1, 3, 4, 100, 300, 5000, AT_ONCE + 7] {
            let slots: Vec<(u64, u32)> = (0..count as u32).map(|slot| (hash_bytes(&slot.to_le_bytes()), slot)).collect();
            let mut index = HashTable::with_capacity(count);
            let capacity = index.capacity();
            fill(&mut index, &slots);
            assert_eq!((index.len(), index.capacity()), (count, capacity), "it did not grow");
            assert!(slots.iter().all(|(hash, slot)| index.find(*hash, |other| other == slot).is_some()), "{count} slots");
        }
    }
}
