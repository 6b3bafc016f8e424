//! A column of rows that never change, as it lies in memory: values, or numbers of texts in the trace's dictionary.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder};
use arrow::buffer::NullBuffer;
use arrow::compute::interleave;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use super::dictionary::{Dictionary, Texts};
use super::error::StateError;

pub enum Column {
    Values(ArrayRef),
    Numbers { numbers: Box<[u16]>, nulls: Option<NullBuffer>, dictionary: Arc<Dictionary> },
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
        }
    }
}

impl Column {
    /// The column, by numbers if the dictionary takes it.
    pub fn new(values: &ArrayRef, dictionary: Option<&Arc<Dictionary>>) -> Column {
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
        }
    }

    /// Memory in bytes of the numbers, without the dictionary; values may lie together with others'.
    pub fn number_bytes(&self) -> usize {
        match self {
            Column::Values(_) => 0,
            Column::Numbers { numbers, nulls, .. } => {
                numbers.len() * size_of::<u16>() + nulls.as_ref().map_or(0, |nulls| nulls.buffer().capacity())
            }
        }
    }
}

/// The values at those places: of which column, and its row. Columns with numbers have one dictionary.
pub fn gather(columns: &[&Column], places: &[(usize, usize)]) -> Result<ArrayRef, StateError> {
    let dictionary = columns.iter().find_map(|column| match column {
        Column::Numbers { dictionary, .. } => Some(dictionary),
        Column::Values(_) => None,
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
        let (numbers, values) = (Column::new(&some, Some(&dictionary)), Column::new(&more, None));
        assert!(matches!(numbers, Column::Numbers { .. }) && numbers.number_bytes() < 100);
        assert_eq!(&numbers.values(0, 4).unwrap(), &some);
        assert_eq!(&numbers.values(1, 2).unwrap(), &some.slice(1, 2));
        let gathered = gather(&[&values, &numbers], &[(1, 2), (0, 0), (1, 1), (0, 1), (1, 0)]).unwrap();
        let expected = StringArray::from(vec![Some("bb"), Some("ccc"), None, None, Some("a")]);
        assert_eq!(gathered.as_string::<i32>(), &expected);
        assert!(gather(&[&numbers, &Column::new(&some, Some(&other))], &[]).is_err());
    }
}
