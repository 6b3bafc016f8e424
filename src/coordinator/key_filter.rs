//! Which keys a query asks for, read from its filters: `key = 7`, `key IN (1, 2)`, and each column of a key of several.

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{Expr, Operator};
use datafusion::scalar::ScalarValue;

use crate::zset::row_codec::canonical;

/// More keys than this are not looked up one by one.
const MOST_KEYS: usize = 4096;

/// The keys that the filters leave, a row a key and a column for each of the key's columns in their order; `None` when the
/// filters do not name every column of the key. Some of the keys may be there twice and none is missing.
pub fn probes(filters: &[Expr], schema: &SchemaRef, key: &[usize]) -> Result<Option<Vec<ArrayRef>>, DataFusionError> {
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(key.len());
    for wanted in key {
        let named = filters.iter().filter_map(|filter| values_of(filter, schema, key)).find(|(column, _)| column == wanted);
        let Some((_, values)) = named else { return Ok(None) };
        let values = canonical(&ScalarValue::iter_to_array(values)?);
        let before = columns.first().map_or(1, |column| column.len());
        if before * values.len() > MOST_KEYS {
            return Ok(None);
        }
        // Each of the keys so far with each of the values.
        let repeat = UInt32Array::from_iter_values((0..before as u32).flat_map(|row| std::iter::repeat_n(row, values.len())));
        let cycle = UInt32Array::from_iter_values((0..before).flat_map(|_| 0..values.len() as u32));
        for column in &mut columns {
            *column = take(column, &repeat, None)?;
        }
        columns.push(take(&values, &cycle, None)?);
    }
    Ok((!columns.is_empty()).then_some(columns))
}

/// The key column that the filter names, and the values that it may have. Of the column's own type, and not null.
pub fn values_of(filter: &Expr, schema: &SchemaRef, key: &[usize]) -> Option<(usize, Vec<ScalarValue>)> {
    let (column, values) = match filter {
        Expr::BinaryExpr(equality) if equality.op == Operator::Eq => match (&*equality.left, &*equality.right) {
            (Expr::Column(column), Expr::Literal(value, _)) | (Expr::Literal(value, _), Expr::Column(column)) => {
                (column, vec![value.clone()])
            }
            _ => return None,
        },
        Expr::InList(InList { expr, list, negated: false }) => {
            let Expr::Column(column) = &**expr else { return None };
            let value = |item: &Expr| if let Expr::Literal(value, _) = item { Some(value.clone()) } else { None };
            (column, list.iter().map(value).collect::<Option<Vec<_>>>()?)
        }
        _ => return None,
    };
    let column = schema.index_of(&column.name).ok().filter(|column| key.contains(column))?;
    let of_its_type = |value: &ScalarValue| !value.is_null() && value.data_type() == *schema.field(column).data_type();
    (!values.is_empty() && values.iter().all(of_its_type)).then_some((column, values))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema};
    use arrow::util::pretty::pretty_format_columns;
    use datafusion::prelude::{col, lit};

    use super::*;

    fn found(filters: &[Expr]) -> Option<String> {
        let fields = [("a", DataType::Int64), ("v", DataType::Utf8), ("b", DataType::Utf8)];
        let schema = Arc::new(Schema::new(fields.map(|(name, data_type)| Field::new(name, data_type, true)).to_vec()));
        let probes = probes(filters, &schema, &[0, 2]).unwrap()?;
        let rows = |column: &ArrayRef| pretty_format_columns("", std::slice::from_ref(column)).unwrap().to_string();
        let words =
            |text: String| text.lines().filter_map(|l| Some(l.strip_prefix("| ")?.trim_end_matches([' ', '|']).to_string())).collect();
        let columns: Vec<Vec<String>> = probes.iter().map(|column| words(rows(column))).collect();
        Some((1..columns[0].len()).map(|row| format!("{} {}", columns[0][row], columns[1][row])).collect::<Vec<_>>().join(", "))
    }

    #[test]
    fn a_key_is_found_when_each_of_its_columns_is_named() {
        assert_eq!(found(&[col("a").eq(lit(7i64)), lit("x").eq(col("b"))]).unwrap(), "7 x");
        let lists = [col("b").in_list(vec![lit("x"), lit("y")], false), col("a").in_list(vec![lit(1i64), lit(2i64)], false)];
        assert_eq!(found(&lists).unwrap(), "1 x, 1 y, 2 x, 2 y");
        for filters in [
            vec![],
            vec![col("a").eq(lit(7i64))],
            vec![col("a").eq(lit(7i64)), col("v").eq(lit("x"))],
            vec![col("a").gt(lit(7i64)), col("b").eq(lit("x"))],
            vec![col("a").eq(lit(7i32)), col("b").eq(lit("x"))],
            vec![col("a").eq(lit(ScalarValue::Int64(None))), col("b").eq(lit("x"))],
            vec![col("a").in_list(vec![lit(1i64)], true), col("b").eq(lit("x"))],
            vec![col("a").eq(col("a")), col("b").eq(lit("x"))],
            vec![col("a").in_list((0..5000i64).map(lit).collect(), false), col("b").eq(lit("x"))],
        ] {
            assert_eq!(found(&filters), None, "{filters:?}");
        }
    }
}
