//! A transaction's changes taken into its tables: into all of them, or the transaction is answered with an error.
//!
//! It is done before the journal is written: what a table does not take was never promised to anybody, and is not there
//! after a restart. A table that fails on the way stops; the tables before it are brought back to what they were.

use std::collections::BTreeMap;

use crate::fail_points::FailPoint;
use crate::types::{ObjectId, Report};
use crate::zset::Delta;

use super::relation::{Relation, RelationKind};

/// # Errors
/// Why they are not taken; then nothing of them is in a table that can be read.
pub fn take_changes(relations: &mut BTreeMap<ObjectId, Relation>, changes: &[(ObjectId, Delta)]) -> Result<(), Report> {
    FailPoint::TablesStep.reach()?;
    for (at, (id, delta)) in changes.iter().enumerate() {
        if let Err(report) = take(relations, *id, delta) {
            for (id, delta) in &changes[..at] {
                // What cannot be taken back stops as well.
                let _ = take(relations, *id, &Delta(delta.0.negate()));
            }
            return Err(report);
        }
    }
    Ok(())
}

fn take(relations: &mut BTreeMap<ObjectId, Relation>, id: ObjectId, delta: &Delta) -> Result<(), Report> {
    let Some(relation) = relations.get_mut(&id) else { return Err(Report::internal("a change of no table")) };
    let RelationKind::Stored(rows) = &relation.kind else { return Err(Report::internal("a change of what is no table")) };
    rows.step(delta).map_err(|error| {
        let report = error.report();
        tracing::error!(relation = %id, "upkeep of a table stopped: {report}");
        relation.failed = Some(report.clone());
        report
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch};

    use super::*;
    use crate::state::{Store, TraceSet};
    use crate::types::{Column, RelationSchema, SqlType};
    use crate::zset::ZSet;
    use crate::zset::text::print;

    const TABLES: [ObjectId; 2] = [ObjectId(16384), ObjectId(16385)];

    fn schema() -> RelationSchema {
        RelationSchema::new(vec![Column::new("n", SqlType::Integer)])
    }

    fn delta(n: i32, weight: i64) -> Delta {
        let column: ArrayRef = Arc::new(Int32Array::from(vec![n]));
        Delta(ZSet::new(RecordBatch::try_new(schema().arrow(), vec![column]).unwrap(), Int64Array::from(vec![weight])))
    }

    fn rows(relation: &Relation) -> String {
        let chunks = relation.rows().unwrap().snapshot().chunks(10, None).collect::<Result<Vec<_>, _>>().unwrap();
        print(&ZSet::concat(&schema().arrow(), &chunks).unwrap().consolidate().unwrap())
    }

    #[test]
    fn all_or_none() {
        let traces = TraceSet::new(Arc::new(Store::memory()));
        let tables = TABLES.map(|id| (id, Relation::stored(id, &schema(), &traces).unwrap()));
        let mut relations = BTreeMap::from(tables);
        let both = |n, weight| [(TABLES[0], delta(n, 1)), (TABLES[1], delta(n, weight))];
        take_changes(&mut relations, &both(1, i64::MAX)).unwrap();
        // One more of that row than can be counted.
        let report = take_changes(&mut relations, &[(TABLES[0], delta(2, 1)), (TABLES[1], delta(1, 1))]).unwrap_err();
        assert_eq!(rows(&relations[&TABLES[0]]), "1 +1\n", "what the first had taken is gone again");
        assert!(relations[&TABLES[0]].failed.is_none());
        assert_eq!(relations[&TABLES[1]].failed.as_ref().map(|failed| failed.sqlstate), Some(report.sqlstate));
    }
}
