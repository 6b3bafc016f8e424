//! Where many short keys lie: one after the other in large blocks.

/// Where one key is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KeyPlace {
    block: u32,
    start: u32,
    len: u32,
}

#[derive(Default)]
pub(super) struct KeySpace {
    blocks: Vec<Vec<u8>>,
    used: usize,
    freed: usize,
}

const BLOCK: usize = 1 << 20;
/// The first block is small: most states have few keys.
const FIRST: usize = 1 << 12;

impl KeySpace {
    pub fn add(&mut self, key: &[u8]) -> KeyPlace {
        let room = self.blocks.last().is_some_and(|block| block.capacity() - block.len() >= key.len());
        if !room {
            let size = if self.blocks.is_empty() { FIRST } else { BLOCK };
            self.blocks.push(Vec::with_capacity(size.max(key.len())));
        }
        let block = self.blocks.len() - 1;
        let bytes = &mut self.blocks[block];
        let start = bytes.len();
        bytes.extend_from_slice(key);
        self.used += key.len();
        KeyPlace { block: block as u32, start: start as u32, len: key.len() as u32 }
    }

    pub fn get(&self, place: KeyPlace) -> &[u8] {
        let start = place.start as usize;
        &self.blocks[place.block as usize][start..start + place.len as usize]
    }

    /// The key is not asked for any more.
    pub fn free(&mut self, place: KeyPlace) {
        self.freed += place.len as usize;
    }

    /// Whether most of a large space is of keys that are gone.
    pub fn is_wasteful(&self) -> bool {
        self.freed > BLOCK && self.freed > self.used / 2
    }

    /// Memory in bytes.
    pub fn bytes(&self) -> usize {
        self.blocks.iter().map(Vec::capacity).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_all_lengths_come_back() {
        let mut space = KeySpace::default();
        let keys: Vec<Vec<u8>> = (0..3000usize).map(|n| vec![n as u8; n * n % 5000]).chain([vec![1; BLOCK + 5], vec![]]).collect();
        let places: Vec<KeyPlace> = keys.iter().map(|key| space.add(key)).collect();
        for (place, key) in places.iter().zip(&keys) {
            assert_eq!(space.get(*place), key.as_slice());
        }
        assert!(!space.is_wasteful());
        places.iter().for_each(|place| space.free(*place));
        assert!(space.is_wasteful());
    }
}
