//! A column of rows that never change, as it lies in memory: values, numbers of texts in the trace's dictionary, or whole numbers in
//! fewer bytes than they have.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringArray, StringBuilder, TimestampMicrosecondArray};
use arrow::buffer::NullBuffer;
use arrow::compute::interleave;
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;

use super::dictionary::{Dictionary, Texts};
use super::error::StateError;
use crate::zset::Near;
use crate::zset::key_columns::Held;

/// So few words lie as they are.
const FEW: usize = 64;

pub enum Column {
    Values(ArrayRef),
    Numbers {
        numbers: Box<[u16]>,
        nulls: Option<NullBuffer>,
        dictionary: Arc<Dictionary>,
    },
    /// Of a type whose values are words of 64 bits.
    Near {
        numbers: Arc<Near>,
        nulls: Option<NullBuffer>,
        data_type: DataType,
    },
}

/// A text and where it is from.
enum Source<'a> {
    Values(&'a StringArray),
    Numbers(&'a [u16], Option<&'a NullBuffer>),
}

impl Source<'_> {
    /// `None` where the column is none of texts, or of another dictionary.
    fn of<'a>(column: &'a Column, dictionary: &Arc<Dictionary>) -> Option<Source<'a>> {
        match column {
            Column::Values(values) => values.as_string_opt().map(Source::Values),
            Column::Numbers { numbers, nulls, dictionary: other } => {
                Arc::ptr_eq(other, dictionary).then_some(Source::Numbers(numbers, nulls.as_ref()))
            }
            Column::Near { .. } => None,
        }
    }
}

/// Whole numbers and where they are from.
enum Words<'a> {
    Values(&'a [i64], Option<&'a NullBuffer>),
    Near(&'a Near, Option<&'a NullBuffer>),
}

impl Words<'_> {
    /// `None` where the column's values are no words.
    fn of(column: &Column) -> Option<Words<'_>> {
        match column {
            Column::Values(values) => Some(Words::Values(words(values)?, values.nulls())),
            Column::Near { numbers, nulls, .. } => Some(Words::Near(numbers, nulls.as_ref())),
            Column::Numbers { .. } => None,
        }
    }

    fn get(&self, row: usize) -> i64 {
        match self {
            Words::Values(values, _) => values[row],
            Words::Near(numbers, _) => numbers.get(row),
        }
    }

    fn nulls(&self) -> Option<&NullBuffer> {
        match self {
            Words::Values(_, nulls) | Words::Near(_, nulls) => *nulls,
        }
    }
}

/// The values of a column of a type that has words of 64 bits; null rows have some value.
fn words(values: &ArrayRef) -> Option<&[i64]> {
    match values.data_type() {
        DataType::Int64 => Some(values.as_primitive::<Int64Type>().values()),
        DataType::Timestamp(TimeUnit::Microsecond, _) => Some(values.as_primitive::<TimestampMicrosecondType>().values()),
        _ => None,
    }
}

/// The words in fewer bytes, if they are near to each other; those of null rows are any.
fn near(words: &[i64], nulls: Option<&NullBuffer>) -> Option<Arc<Near>> {
    let Some(nulls) = nulls.filter(|nulls| nulls.null_count() > 0) else { return Near::of(words) };
    let some = words[nulls.valid_indices().next()?];
    let words = words.iter().enumerate().map(|(row, word)| if nulls.is_valid(row) { *word } else { some });
    Near::of(&words.collect::<Vec<_>>())
}

/// The column of that type whose words those are.
fn of_words(words: Vec<i64>, nulls: Option<NullBuffer>, data_type: &DataType) -> Result<ArrayRef, StateError> {
    match data_type {
        DataType::Int64 => Ok(Arc::new(Int64Array::try_new(words.into(), nulls)?)),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            Ok(Arc::new(TimestampMicrosecondArray::try_new(words.into(), nulls)?.with_data_type(data_type.clone())))
        }
        other => Err(StateError::Misuse(format!("values of {other} are no words"))),
    }
}

impl Column {
    /// The column in few bytes: by numbers if the dictionary takes it, or by how far its words are from the least.
    pub fn short(values: &ArrayRef, dictionary: Option<&Arc<Dictionary>>) -> Column {
        if let Some(numbers) = words(values).filter(|words| words.len() >= FEW).and_then(|words| near(words, values.nulls())) {
            return Column::Near { numbers, nulls: values.nulls().cloned(), data_type: values.data_type().clone() };
        }
        let numbers = dictionary.and_then(|dictionary| Some((dictionary.numbers(values.as_string_opt()?)?, dictionary)));
        match numbers {
            Some((numbers, dictionary)) => {
                Column::Numbers { numbers: numbers.into(), nulls: values.nulls().cloned(), dictionary: dictionary.clone() }
            }
            None => Column::Values(values.clone()),
        }
    }

    /// Whether a dictionary can hold values of that type.
    pub fn may_have_numbers(data_type: &DataType) -> bool {
        *data_type == DataType::Utf8
    }

    /// The values of rows `from..from + length`.
    pub fn values(&self, from: usize, length: usize) -> Result<ArrayRef, StateError> {
        match self {
            Column::Values(values) => Ok(values.slice(from, length)),
            Column::Numbers { numbers, nulls, dictionary } => {
                let source = [Source::Numbers(numbers, nulls.as_ref())];
                Ok(Arc::new(gather_texts(&source, length, |at| (0, from + at), &dictionary.texts())?))
            }
            Column::Near { numbers, nulls, data_type } => {
                let mut words = Vec::with_capacity(length);
                numbers.each(from, length, &mut |word| words.push(word));
                of_words(words, nulls.as_ref().map(|nulls| nulls.slice(from, length)), data_type)
            }
        }
    }

    /// The column as a key, given the values of one that is not held as words in few bytes.
    pub fn held<'a>(&'a self, values: &'a ArrayRef) -> Held<'a> {
        match self {
            Column::Near { numbers, nulls, .. } => Held::Near(numbers, nulls.as_ref()),
            Column::Values(_) | Column::Numbers { .. } => Held::Values(values),
        }
    }

    /// Memory in bytes of the numbers, without the dictionary; values may lie together with others'.
    pub fn number_bytes(&self) -> usize {
        match self {
            Column::Values(_) => 0,
            Column::Numbers { numbers, nulls, .. } => {
                numbers.len() * size_of::<u16>() + nulls.as_ref().map_or(0, |nulls| nulls.buffer().capacity())
            }
            Column::Near { numbers, nulls, .. } => numbers.bytes() + nulls.as_ref().map_or(0, |nulls| nulls.buffer().capacity()),
        }
    }
}

/// The values at those places: of which column, and its row. Columns with numbers have one dictionary.
pub fn gather(columns: &[&Column], places: &[(usize, usize)]) -> Result<ArrayRef, StateError> {
    let near = columns.iter().find_map(|column| if let Column::Near { data_type, .. } = column { Some(data_type) } else { None });
    if let Some(data_type) = near {
        let sources: Option<Vec<Words>> = columns.iter().map(|column| Words::of(column)).collect();
        let sources = sources.ok_or_else(|| StateError::Misuse("columns that are not of one trace were gathered".to_string()))?;
        let words = places.iter().map(|(source, row)| sources[*source].get(*row)).collect();
        let nulls = sources.iter().any(|source| source.nulls().is_some_and(|nulls| nulls.null_count() > 0)).then(|| {
            let is_there = |(source, row): &(usize, usize)| sources[*source].nulls().is_none_or(|nulls| nulls.is_valid(*row));
            NullBuffer::from_iter(places.iter().map(is_there))
        });
        return of_words(words, nulls, data_type);
    }
    let dictionary = columns.iter().find_map(|column| match column {
        Column::Numbers { dictionary, .. } => Some(dictionary),
        Column::Values(_) | Column::Near { .. } => None,
    });
    let Some(dictionary) = dictionary else {
        let values: Vec<&dyn Array> =
            columns.iter().filter_map(|c| if let Column::Values(values) = c { Some(&**values) } else { None }).collect();
        return Ok(interleave(&values, places)?);
    };
    let sources: Option<Vec<Source>> = columns.iter().map(|column| Source::of(column, dictionary)).collect();
    let sources = sources.ok_or_else(|| StateError::Misuse("columns that are not of one trace were gathered".to_string()))?;
    Ok(Arc::new(gather_texts(&sources, places.len(), |at| places[at], &dictionary.texts())?))
}

fn gather_texts(
    sources: &[Source],
    count: usize,
    place: impl Fn(usize) -> (usize, usize),
    texts: &Texts,
) -> Result<StringArray, ArrowError> {
    let is_there = |(source, row): (usize, usize)| match &sources[source] {
        Source::Values(values) => values.is_valid(row),
        Source::Numbers(_, nulls) => nulls.is_none_or(|nulls| nulls.is_valid(row)),
    };
    // Lengths first: the texts themselves are read once.
    let lengths = (0..count).map(&place).map(|(source, row)| match (&sources[source], is_there((source, row))) {
        (_, false) => 0,
        (Source::Values(values), true) => values.value_length(row) as usize,
        (Source::Numbers(numbers, _), true) => texts.length(numbers[row]),
    });
    let bytes: usize = lengths.sum();
    if i32::try_from(bytes).is_err() {
        return Err(ArrowError::OffsetOverflowError(bytes));
    }
    let mut gathered = StringBuilder::with_capacity(count, bytes);
    for (source, row) in (0..count).map(place) {
        match (&sources[source], is_there((source, row))) {
            (_, false) => gathered.append_null(),
            (Source::Values(values), true) => gathered.append_value(values.value(row)),
            (Source::Numbers(numbers, _), true) => gathered.append_value(texts.get(numbers[row])),
        }
    }
    Ok(gathered.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_values_are_gathered_together() {
        let some: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("bb"), Some("a")]));
        let more: ArrayRef = Arc::new(StringArray::from(vec![Some("ccc"), None]));
        let (dictionary, other) = (Arc::new(Dictionary::default()), Arc::new(Dictionary::default()));
        let (numbers, values) = (Column::short(&some, Some(&dictionary)), Column::Values(more.clone()));
        assert!(matches!(numbers, Column::Numbers { .. }) && numbers.number_bytes() < 100);
        assert_eq!(&numbers.values(0, 4).unwrap(), &some);
        assert_eq!(&numbers.values(1, 2).unwrap(), &some.slice(1, 2));
        let gathered = gather(&[&values, &numbers], &[(1, 2), (0, 0), (1, 1), (0, 1), (1, 0)]).unwrap();
        let expected = StringArray::from(vec![Some("bb"), Some("ccc"), None, None, Some("a")]);
        assert_eq!(gathered.as_string::<i32>(), &expected);
        assert!(gather(&[&numbers, &Column::short(&some, Some(&other))], &[]).is_err());
    }

    #[test]
    fn near_words_and_others_are_gathered_together() {
        let near: Int64Array = (0..100).map(|n| (n % 7 > 0).then_some(5_000_000_000 + n)).collect();
        let types = [DataType::Int64, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))];
        for data_type in types {
            let near = arrow::compute::cast(&near, &data_type).unwrap();
            let far = arrow::compute::cast(&Int64Array::from(vec![Some(i64::MIN), None, Some(i64::MAX)]), &data_type).unwrap();
            let (short, long) = (Column::short(&near, None), Column::short(&far, None));
            assert!(matches!((&short, &long), (Column::Near { .. }, Column::Values(_))));
            assert!(short.number_bytes() < 100 + 100 / 8 + 64 + 64, "{}", short.number_bytes());
            assert_eq!((&short.values(0, 100).unwrap(), &short.values(6, 3).unwrap()), (&near, &near.slice(6, 3)));
            let places = [(0, 7), (1, 2), (0, 99), (1, 1), (0, 1)];
            let gathered = gather(&[&short, &long], &places).unwrap();
            assert_eq!(&gathered, &interleave(&[&near, &far], &places).unwrap());
        }
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
        let numbers: ArrayRef = Arc::new(near);
        assert!(gather(&[&Column::short(&numbers, None), &Column::Values(texts)], &[(0, 0)]).is_err());
    }
}
