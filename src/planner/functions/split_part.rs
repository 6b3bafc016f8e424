//! `split_part(text, delimiter, n)`: DataFusion's, with a way of its own for what nearly every query asks: the same
//! delimiter and the same place, counted from the front, for a column of texts. The delimiter is then prepared once.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature};
use memchr::memmem::Finder;

/// `general` is DataFusion's function.
pub fn function(general: Arc<ScalarUDF>) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(SplitPart { general }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SplitPart {
    general: Arc<ScalarUDF>,
}

impl ScalarUDFImpl for SplitPart {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        self.general.name()
    }

    fn signature(&self) -> &Signature {
        self.general.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.general.inner().return_type(types)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        use ScalarValue::{Int64, Utf8};
        if let [ColumnarValue::Array(texts), ColumnarValue::Scalar(Utf8(Some(delimiter))), ColumnarValue::Scalar(Int64(Some(place)))] =
            args.args.as_slice()
            && let Some(texts) = texts.as_string_opt::<i32>()
            && let (false, Some(place)) = (delimiter.is_empty(), place.checked_sub(1).and_then(|place| usize::try_from(place).ok()))
        {
            return Ok(ColumnarValue::Array(parts(texts, delimiter.as_bytes(), place)));
        }
        self.general.invoke_with_args(args)
    }
}

/// The part with so many delimiters before it, for each text.
fn parts(texts: &StringArray, delimiter: &[u8], place: usize) -> ArrayRef {
    match delimiter {
        [byte] => gathered(texts, 1, place, |text, skipped| nth(text, *byte, skipped)),
        _ => {
            let finder = Finder::new(delimiter);
            gathered(texts, delimiter.len(), place, |text, skipped| finder.find_iter(text).nth(skipped))
        }
    }
}

/// `find` gives the place of a delimiter in a text, given how many to skip. A delimiter is UTF-8, so parts are too.
fn gathered(texts: &StringArray, length: usize, place: usize, find: impl Fn(&[u8], usize) -> Option<usize>) -> ArrayRef {
    let part = |text: &str| -> Option<(usize, usize)> {
        let bytes = text.as_bytes();
        let from = match place.checked_sub(1) {
            Some(skipped) => find(bytes, skipped)? + length,
            None => 0,
        };
        Some((from, find(&bytes[from..], 0).map_or(bytes.len(), |more| from + more)))
    };
    let mut builder = StringBuilder::with_capacity(texts.len(), 8 * texts.len());
    for text in texts.iter() {
        match text {
            Some(text) => builder.append_value(part(text).and_then(|(from, to)| text.get(from..to)).unwrap_or("")),
            None => builder.append_null(),
        }
    }
    Arc::new(builder.finish())
}

/// Where a byte is for the time after `skipped` others, looked for eight bytes at a time.
fn nth(bytes: &[u8], byte: u8, mut skipped: usize) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let wanted = ONES * u64::from(byte);
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let other = u64::from_le_bytes(*word) ^ wanted;
        // The highest bit of each byte that is the one.
        let mut marks = !(((other & LOW) + LOW) | other | LOW);
        let count = ((marks >> 7).wrapping_mul(ONES) >> 56) as usize;
        if skipped < count {
            (0..skipped).for_each(|_| marks &= marks - 1);
            return Some(8 * at + marks.trailing_zeros() as usize / 8);
        }
        skipped -= count;
    }
    let mut found = rest.iter().enumerate().filter(|(_, other)| **other == byte).map(|(at, _)| at);
    found.nth(skipped).map(|at| 8 * words.len() + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_those_of_a_split() {
        let texts =
            ["", "/", "a/b", "https://www.x.com/a/bb/ccc/item?q=1", "//", "a//b//c", "ä/ö//ü", "no", "12345678/1234567/", "////////////"];
        let column: StringArray = texts.iter().map(|text| Some(*text)).chain([None]).collect();
        for delimiter in ["/", "//", "b", "ö", ".", "1234", "/a/"] {
            for place in 0..14 {
                let found = parts(&column, delimiter.as_bytes(), place);
                let found = found.as_string::<i32>();
                assert!(found.is_null(texts.len()));
                for (row, text) in texts.iter().enumerate() {
                    assert_eq!(found.value(row), text.split(delimiter).nth(place).unwrap_or(""), "{text:?} by {delimiter:?} at {place}");
                }
            }
        }
    }

    #[test]
    fn bytes_are_counted() {
        let bytes: Vec<u8> = (0..200u32).map(|n| [0, 0x80, 0xff, b'/', 0x7f][(n * n % 23 % 5) as usize]).collect();
        for byte in [0, 1, 0x7f, 0x80, 0x81, 0xff, b'/'] {
            for from in 0..40 {
                let places: Vec<usize> = (0..bytes.len() - from).filter(|at| bytes[from + at] == byte).collect();
                for skipped in 0..=places.len() {
                    assert_eq!(nth(&bytes[from..], byte, skipped), places.get(skipped).copied());
                }
            }
        }
    }
}
