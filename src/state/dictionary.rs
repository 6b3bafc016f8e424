//! The texts of a column of which few are different, each once. What chunks have of such a column are their numbers, two bytes
//! a row; the chunks of all shards of a trace share the texts.
//!
//! Whether there are few is found out from the first rows. Texts are never forgotten: there is a limit to how many there may be,
//! and to their bytes. Past it, and for a column of many, chunks have their own texts.

use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use arrow::array::{Array, StringArray};
use hashbrown::HashTable;

use crate::zset::key_columns::hash_bytes;

/// So many rows are looked at before it is said that there are many.
const SAMPLE: usize = 4096;
/// There are many when more than so many of a hundred rows had a text of their own.
const FEW: usize = 75;
/// At most so many bytes.
const MOST_BYTES: usize = 4 << 20;

#[derive(Default)]
pub struct Dictionary(RwLock<Texts>);

/// By column of some rows, where its texts may go; the columns behind the last one have none.
pub type Dictionaries = Vec<Option<Arc<Dictionary>>>;

#[derive(Default)]
pub struct Texts {
    /// Behind each other, and where each ends.
    bytes: String,
    ends: Vec<u32>,
    /// Numbers by the text's hash, of which half is kept.
    index: HashTable<(u32, u16)>,
    rows: usize,
    /// No more rows are looked at.
    full: bool,
    /// Somebody has numbers.
    used: bool,
}

impl Dictionary {
    /// The number of each row's text; that of a null means nothing. `None` when the rows are to keep their texts themselves.
    pub fn numbers(&self, texts: &StringArray) -> Option<Vec<u16>> {
        let mut numbers = Vec::with_capacity(texts.len());
        let mut noted = 0;
        loop {
            // Most texts are there: shards do not wait for each other.
            let known = self.texts();
            if known.full {
                return None;
            }
            for row in numbers.len()..texts.len() {
                let number = if texts.is_null(row) { Some(0) } else { known.find(texts.value(row)) };
                let Some(number) = number else { break };
                numbers.push(number);
            }
            drop(known);
            let row = numbers.len();
            let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
            known.rows += row - noted;
            noted = row;
            if row == texts.len() {
                known.used |= !known.full;
                return (!known.full).then_some(numbers);
            }
            match known.number(texts.value(row)) {
                Some(number) => numbers.push(number),
                None => {
                    known.close();
                    return None;
                }
            }
        }
    }

    pub fn texts(&self) -> RwLockReadGuard<'_, Texts> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Memory in bytes, an estimate.
    pub fn bytes(&self) -> usize {
        let texts = self.texts();
        texts.bytes.capacity() + texts.ends.capacity() * size_of::<u32>() + texts.index.capacity() * (size_of::<(u32, u16)>() + 1)
    }
}

impl Texts {
    /// The text of that number; empty for a number that none has.
    pub fn get(&self, number: u16) -> &str {
        self.bytes.get(self.place(number)).unwrap_or_default()
    }

    /// Its length in bytes.
    pub fn length(&self, number: u16) -> usize {
        self.place(number).len()
    }

    fn place(&self, number: u16) -> Range<usize> {
        let begin = usize::from(number).checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| *end as usize);
        begin..self.ends.get(usize::from(number)).map_or(begin, |end| *end as usize)
    }

    fn find(&self, text: &str) -> Option<u16> {
        let half = half_hash(text);
        let is_it = |(other, number): &(u32, u16)| {
            *other == half && self.bytes.as_bytes().get(self.place(*number)).is_some_and(|bytes| bytes == text.as_bytes())
        };
        self.index.find(spread(half), is_it).map(|(_, number)| *number)
    }

    /// The number of a text that comes; `None` when there is no room, or there are too many.
    fn number(&mut self, text: &str) -> Option<u16> {
        // Another shard may have brought it.
        if self.full {
            return None;
        }
        if let Some(number) = self.find(text) {
            return Some(number);
        }
        let many = self.rows >= SAMPLE && self.ends.len() * 100 > self.rows * FEW;
        let number = u16::try_from(self.ends.len()).ok().filter(|_| !many && self.bytes.len() + text.len() <= MOST_BYTES)?;
        self.bytes.push_str(text);
        self.ends.push(self.bytes.len() as u32);
        self.index.insert_unique(spread(half_hash(text)), (half_hash(text), number), |(half, _)| spread(*half));
        Some(number)
    }

    /// Takes no more texts, and keeps those that somebody has numbers of.
    fn close(&mut self) {
        self.full = true;
        self.index = HashTable::new();
        if !self.used {
            (self.bytes, self.ends) = (String::new(), Vec::new());
        }
    }
}

fn half_hash(text: &str) -> u32 {
    (hash_bytes(text.as_bytes()) >> 32) as u32
}

/// Half a hash as a whole one: the table looks at both ends of it.
fn spread(half: u32) -> u64 {
    u64::from(half) << 32 | u64::from(half)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(range: std::ops::Range<usize>, different: usize) -> StringArray {
        range.map(|n| (n % 7 != 6).then(|| format!("text {}", n % different))).collect()
    }

    fn back(dictionary: &Dictionary, array: &StringArray, numbers: &[u16]) -> StringArray {
        let texts = dictionary.texts();
        numbers.iter().enumerate().map(|(row, number)| array.is_valid(row).then(|| texts.get(*number).to_string())).collect()
    }

    #[test]
    fn few_texts_come_back_by_their_numbers() {
        let dictionary = Dictionary::default();
        for from in [0, 5000, 7] {
            let some = texts(from..from + 9000, 1000);
            let numbers = dictionary.numbers(&some).unwrap();
            assert_eq!(back(&dictionary, &some, &numbers), some);
        }
        assert!(dictionary.bytes() < 40_000, "{} bytes", dictionary.bytes());
        let nothing: StringArray = [Some(""), None, Some("")].into_iter().collect();
        assert_eq!(back(&dictionary, &nothing, &dictionary.numbers(&nothing).unwrap()), nothing);
        assert_eq!(dictionary.texts().get(u16::MAX), "");
    }

    #[test]
    fn two_that_bring_the_same_texts_get_the_same_numbers() {
        let dictionary = Dictionary::default();
        let bring = |from: usize| (0..20).map(|round| texts(from + round * 100..from + round * 100 + 3000, 2000)).collect::<Vec<_>>();
        let numbered = |some: Vec<StringArray>| some.into_iter().map(|some| (dictionary.numbers(&some).unwrap(), some)).collect::<Vec<_>>();
        let (one, other) = std::thread::scope(|scope| {
            let (one, other) = (scope.spawn(|| numbered(bring(0))), scope.spawn(|| numbered(bring(50))));
            (one.join().unwrap(), other.join().unwrap())
        });
        one.iter().chain(&other).for_each(|(numbers, some)| assert_eq!(&back(&dictionary, some, numbers), some));
        assert_eq!(dictionary.texts().ends.len(), 2000);
    }

    #[test]
    fn of_many_texts_nothing_is_kept_and_there_is_an_end_to_few() {
        let dictionary = Dictionary::default();
        assert!(dictionary.numbers(&texts(0..9000, 9000)).is_none() && dictionary.bytes() == 0);
        assert!(dictionary.numbers(&texts(0..10, 1)).is_none(), "it was found out once");

        let dictionary = Dictionary::default();
        let thirds = |range: std::ops::Range<usize>| -> StringArray { range.map(|n| Some(format!("text {}", n / 3))).collect() };
        let (few, more) = (thirds(0..180_000), thirds(180_000..210_000));
        let numbers = dictionary.numbers(&few).unwrap();
        assert!(dictionary.numbers(&more).is_none());
        assert_eq!(back(&dictionary, &few, &numbers), few, "what has numbers keeps its texts");

        let long: StringArray = (0..20_000).map(|n| Some(format!("{}{}", n % 5000, "x".repeat(1000)))).collect();
        assert!(Dictionary::default().numbers(&long).is_none(), "five megabytes");
    }
}
