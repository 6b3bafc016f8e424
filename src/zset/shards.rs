//! Shards: the parts that the rows of a keyed operator are divided into, by the hash of their keys.
//!
//! There are always as many, on any machine and for any number of threads: the shard of a row is part of what is on disk,
//! and so is the hash that says it. Equal keys are in one shard, whatever columns beside them their rows have.

use arrow::array::ArrayRef;
use arrow::error::ArrowError;

use super::key_columns::KeyColumns;

/// Enough that as many threads are busy, few enough that small changes are not ground to dust.
pub const SHARDS: usize = 8;

/// Bits of the hash that no table inside a shard goes by: those take the lowest and the highest.
const SHIFT: u32 = 48;

/// For each shard the positions of its rows, in their order. The columns are the key's, floats canonical.
pub fn positions(key: &[ArrayRef], rows: usize) -> Result<Vec<Vec<u32>>, ArrowError> {
    let mut shards: Vec<Vec<u32>> = (0..SHARDS).map(|_| Vec::with_capacity(rows / SHARDS + rows / 64)).collect();
    for (row, hash) in KeyColumns::new(key, rows)?.hashes().into_iter().enumerate() {
        shards[(hash >> SHIFT) as usize % SHARDS].push(row as u32);
    }
    Ok(shards)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::Int64Array;

    use super::*;
    use crate::zset::text::parse;

    #[test]
    fn golden_shards() {
        // These are on disk: another hash is another format.
        let rows = parse("a int4, b int8, c text, d numeric(12,2), e float8", "1 2 three 4.00 0.5 +1");
        let of = |column: usize| {
            let found = positions(&rows.rows().columns()[column..=column], 1).unwrap();
            found.iter().position(|rows| !rows.is_empty()).unwrap()
        };
        assert_eq!((0..5).map(of).collect::<Vec<_>>(), [3, 1, 4, 1, 7]);
    }

    #[test]
    fn keys_spread_over_all_shards() {
        let keys: ArrayRef = Arc::new((0..80_000).collect::<Int64Array>());
        let counts: Vec<usize> = positions(&[keys], 80_000).unwrap().iter().map(Vec::len).collect();
        assert!(counts.iter().all(|count| (9_000..11_000).contains(count)), "10000 on average, seen {counts:?}");
    }
}
