//! Texts of several parts, dealt out to the shards of their rows. Each part is read once, from its beginning to its end: who
//! gathers for one shard alone skips through all of them, and finds hardly a text where it looks.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, GenericByteBuilder};
use arrow::datatypes::{BinaryType, ByteArrayType, DataType, Utf8Type};
use arrow::error::ArrowError;

use crate::zset::shards::SHARDS;

/// Whether columns of this type are dealt out.
pub fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::Binary)
}

/// The values of each shard, given a column in each part and the shard of each row. The column is a text.
pub fn deal(parts: &[&ArrayRef], shards: &[Vec<u8>]) -> Result<Vec<ArrayRef>, ArrowError> {
    match parts.first().map(|part| part.data_type()) {
        Some(DataType::Utf8) => dealt::<Utf8Type>(parts, shards),
        Some(DataType::Binary) => dealt::<BinaryType>(parts, shards),
        other => Err(ArrowError::InvalidArgumentError(format!("{other:?} is no text"))),
    }
}

fn dealt<T: ByteArrayType<Offset = i32>>(parts: &[&ArrayRef], shards: &[Vec<u8>]) -> Result<Vec<ArrayRef>, ArrowError> {
    let (mut rows, mut bytes) = ([0usize; SHARDS], [0usize; SHARDS]);
    for (part, shards) in parts.iter().zip(shards) {
        let texts = part.as_bytes_opt::<T>().ok_or_else(|| ArrowError::InvalidArgumentError("parts of several types".into()))?;
        for (shard, ends) in shards.iter().zip(texts.value_offsets().windows(2)) {
            rows[*shard as usize] += 1;
            bytes[*shard as usize] += (ends[1] - ends[0]) as usize;
        }
    }
    if let Some(bytes) = bytes.iter().find(|bytes| i32::try_from(**bytes).is_err()) {
        return Err(ArrowError::OffsetOverflowError(*bytes));
    }
    let mut into: Vec<_> = rows.iter().zip(bytes).map(|(rows, bytes)| GenericByteBuilder::<T>::with_capacity(*rows, bytes)).collect();
    for (part, shards) in parts.iter().zip(shards) {
        let texts = part.as_bytes::<T>();
        match texts.nulls().filter(|nulls| nulls.null_count() > 0) {
            None => shards.iter().enumerate().for_each(|(row, shard)| into[*shard as usize].append_value(texts.value(row))),
            Some(nulls) => shards.iter().enumerate().for_each(|(row, shard)| match nulls.is_valid(row) {
                true => into[*shard as usize].append_value(texts.value(row)),
                false => into[*shard as usize].append_null(),
            }),
        }
    }
    Ok(into.into_iter().map(|mut builder| Arc::new(builder.finish()) as ArrayRef).collect())
}

#[cfg(test)]
mod tests {
    use arrow::array::{BinaryArray, StringArray};
    use rand::rngs::SmallRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    #[test]
    fn each_shard_has_its_texts_in_their_order() {
        for seed in 0..40 {
            let mut random = SmallRng::seed_from_u64(seed);
            let nulls = seed % 3 > 0;
            let texts: Vec<Vec<Option<String>>> = (0..random.random_range(1..4))
                .map(|_| {
                    let text = |random: &mut SmallRng| "é1".repeat(random.random_range(0..9));
                    (0..random.random_range(1..200))
                        .map(|_| Some(text(&mut random)).filter(|_| !nulls || random.random_bool(0.7)))
                        .collect()
                })
                .collect();
            let shards: Vec<Vec<u8>> =
                texts.iter().map(|texts| texts.iter().map(|_| random.random_range(0..SHARDS as u8)).collect()).collect();
            let from = random.random_range(0..5);
            // Slices of what is longer, as parts of batches are.
            let sliced = |texts: &Vec<Option<String>>, binary: bool| -> ArrayRef {
                let longer: Vec<Option<&str>> =
                    vec![Some("before"); from].into_iter().chain(texts.iter().map(|text| text.as_deref())).collect();
                let whole: ArrayRef = match binary {
                    true => Arc::new(longer.iter().map(|text| text.map(str::as_bytes)).collect::<BinaryArray>()),
                    false => Arc::new(StringArray::from(longer)),
                };
                whole.slice(from, texts.len())
            };
            for binary in [false, true] {
                let parts: Vec<ArrayRef> = texts.iter().map(|texts| sliced(texts, binary)).collect();
                let dealt = deal(&parts.iter().collect::<Vec<_>>(), &shards).unwrap();
                for (shard, dealt) in dealt.iter().enumerate() {
                    let rows = texts.iter().zip(&shards).flat_map(|(texts, shards)| texts.iter().zip(shards));
                    let expected: Vec<Option<String>> =
                        rows.filter(|(_, of)| **of as usize == shard).map(|(text, _)| text.clone()).collect();
                    assert_eq!(dealt, &sliced(&expected, binary), "seed {seed}, shard {shard}");
                }
            }
        }
    }
}
