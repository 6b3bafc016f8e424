//! A stretch of text that stands between two values record after record, compared eight bytes at a time.

/// More words than a name or two with their quotes, commas and colons have; longer texts are compared as a whole.
const WORDS: usize = 6;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glue {
    text: Box<[u8]>,
    /// The text as words, and which of their bits are the text's.
    words: [(u64, u64); WORDS],
    count: usize,
}

impl Glue {
    pub fn new(text: &[u8]) -> Glue {
        let mut words = [(0, 0); WORDS];
        for (at, chunk) in text.chunks(8).take(WORDS).enumerate() {
            words[at] = (word(chunk, 0), u64::MAX >> (64 - 8 * chunk.len()));
        }
        Glue { text: text.into(), words, count: text.len().div_ceil(8) }
    }

    #[inline]
    pub fn length(&self) -> usize {
        self.text.len()
    }

    /// Whether the text stands at that place.
    #[inline]
    pub fn stands_at(&self, bytes: &[u8], at: usize) -> bool {
        let Some(words) = self.words.get(..self.count) else { return self.stands_whole(bytes, at) };
        let Some(there) = bytes.get(at..at + 8 * words.len()) else { return self.stands_whole(bytes, at) };
        let there = there.as_chunks::<8>().0;
        let mut other = 0;
        for (number, (text, mask)) in words.iter().enumerate() {
            other |= (u64::from_le_bytes(there[number]) ^ text) & mask;
        }
        other == 0
    }

    /// [`Glue::stands_at`] for long texts, and for the last ones of a block.
    #[inline(never)]
    fn stands_whole(&self, bytes: &[u8], at: usize) -> bool {
        bytes.get(at..).is_some_and(|rest| rest.starts_with(&self.text))
    }
}

/// The eight bytes at that place, the first lowest; zeros behind the last byte.
#[inline]
pub fn word(bytes: &[u8], at: usize) -> u64 {
    match bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => last_word(bytes, at),
    }
}

#[cold]
fn last_word(bytes: &[u8], at: usize) -> u64 {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter().take(8).rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glue_stands_where_its_text_stands() {
        let text: Vec<u8> = (1..=120).collect();
        for length in 0..60 {
            for from in 0..60 {
                let glue = Glue::new(&text[from..from + length]);
                assert_eq!(glue.length(), length);
                for end in from..text.len() {
                    assert_eq!(glue.stands_at(&text[..end], from), end >= from + length, "{from} {length} {end}");
                }
                for changed in from..from + length {
                    let mut other = text.clone();
                    other[changed] ^= 0x80;
                    assert!(!glue.stands_at(&other, from), "{from} {length} {changed}");
                }
            }
        }
    }
}
