//! Schemas: what a table of floe's looks like, and what another table lacks.

use super::*;

fn relation(columns: &[(&str, SqlType)]) -> RelationSchema {
    RelationSchema::new(columns.iter().map(|(name, sql_type)| Column::new(*name, sql_type.clone())).collect())
}

#[test]
fn a_key_that_cannot_be_null_identifies_rows() {
    let mut relation = relation(&[("id", SqlType::BigInt), ("tier", SqlType::Text)]);
    assert_eq!(table_schema(&relation, &[0]).unwrap().identifier_field_ids().count(), 0);
    relation.columns[0].nullable = false;
    let schema = table_schema(&relation, &[0]).unwrap();
    assert_eq!(schema.identifier_field_ids().collect::<Vec<_>>(), [1]);
    assert!(schema.field_by_name("id").unwrap().required && !schema.field_by_name("tier").unwrap().required);
}

#[test]
fn types_that_iceberg_lacks_are_refused_with_a_cast() {
    for sql_type in [SqlType::Interval, SqlType::Oid, SqlType::Array(Box::new(SqlType::Text)), SqlType::Numeric { precision: 2, scale: 5 }]
    {
        let Err(SinkError::Definition(report)) = table_schema(&relation(&[("c", sql_type.clone())]), &[]) else {
            panic!("{sql_type} is taken")
        };
        assert_eq!(report.sqlstate, SqlState::FEATURE_NOT_SUPPORTED);
        assert!(report.hint.unwrap().contains("CAST(c AS "));
    }
    assert!(table_schema(&relation(&[("c", SqlType::Text), ("c", SqlType::Text)]), &[]).is_err());
}

#[test]
fn every_difference_is_listed() {
    let mut wide = relation(&[("a", SqlType::Integer), ("b", SqlType::Text), ("d", SqlType::Date)]);
    wide.columns[2].nullable = false;
    let table = table_schema(&wide, &[]).unwrap();
    let ours = relation(&[("a", SqlType::BigInt), ("c", SqlType::NUMERIC), ("d", SqlType::Date)]);
    let report = check_same(&ours, &table, "s.t").unwrap_err();
    assert_eq!(report.sqlstate, SqlState::DATATYPE_MISMATCH);
    assert_eq!(
        report.detail.unwrap(),
        "column \"a\" is long in the sink, int in the table; column \"c\" (decimal(38, 10)) is not in the table; \
         column \"b\" (string) of the table is not in the sink; column \"d\" may be null in the sink and is required in the table"
    );
    check_same(&wide, &table, "s.t").unwrap();
}

#[test]
fn an_optional_column_added_later_does_no_harm() {
    let table = table_schema(&relation(&[("new", SqlType::Text), ("a", SqlType::Integer)]), &[]).unwrap();
    let projection = Projection::new(&relation(&[("a", SqlType::SmallInt)]), &table, "s.t").unwrap();
    assert_eq!(projection.schema.as_struct().fields()[0].id, 2, "columns meet by name");
    let dropped = Projection::new(&relation(&[("b", SqlType::Text)]), &table, "s.t").unwrap_err();
    assert!(matches!(dropped, SinkError::Diverged { .. }));
}
