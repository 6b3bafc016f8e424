//! What is known of a circuit's rows without running it: a key that no two rows share, and whether rows are only added.

use datafusion::physical_expr::expressions::Column;

use crate::catalog::Catalog;
use crate::types::ObjectId;

use super::circuit_plan::{CircuitPlan, JoinKind};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    /// Positions of columns that identify a row; `None` when rows may repeat. Empty for a relation of at most one row.
    pub key: Option<Vec<usize>>,
    pub append_only: bool,
}

pub fn of(plan: &CircuitPlan, catalog: &Catalog) -> Properties {
    Properties { key: key(plan, catalog), append_only: plan.is_append_only() }
}

fn key(plan: &CircuitPlan, catalog: &Catalog) -> Option<Vec<usize>> {
    match plan {
        CircuitPlan::Input { relation, .. } => relation_key(*relation, catalog),
        CircuitPlan::Constant { rows } => (rows.num_rows() <= 1).then(Vec::new),
        CircuitPlan::Filter { input, .. } | CircuitPlan::Combine { input } | CircuitPlan::Greatest { input, .. } => key(input, catalog),
        CircuitPlan::Project { input, expressions, .. } => {
            let place = |wanted: usize| {
                expressions.iter().position(|e| e.physical.as_any().downcast_ref::<Column>().is_some_and(|column| column.index() == wanted))
            };
            key(input, catalog)?.into_iter().map(place).collect()
        }
        CircuitPlan::Unnest { .. } | CircuitPlan::Union { .. } => None,
        CircuitPlan::Join { left, right, kind, on, .. } => {
            let (left_key, right_key) = (key(left, catalog), key(right, catalog));
            let width = left.schema().fields().len();
            let one_right = right_key.as_ref().is_some_and(|k| k.iter().all(|c| on.iter().any(|(_, r)| r == c)));
            let one_left = left_key.as_ref().is_some_and(|k| k.iter().all(|c| on.iter().any(|(l, _)| l == c)));
            let right_shifted = || right_key.clone().map(|k| k.into_iter().map(|c| c + width).collect::<Vec<usize>>());
            if one_right {
                return left_key;
            }
            if one_left && *kind == JoinKind::Inner {
                return right_shifted();
            }
            let mut both = left_key.clone()?;
            both.extend(right_shifted()?);
            Some(both)
        }
        CircuitPlan::Aggregate { group, .. } => Some((0..group.len()).collect()),
        CircuitPlan::TopN { partition, limit: ..=1, .. } => Some(partition.clone()),
        CircuitPlan::TopN { input, partition, rank, schema, .. } => key(input, catalog).or_else(|| {
            let ranked = partition.iter().copied().chain([schema.fields().len() - 1]);
            rank.then(|| ranked.collect())
        }),
    }
}

fn relation_key(relation: ObjectId, catalog: &Catalog) -> Option<Vec<usize>> {
    let schema = &catalog.get(relation)?.schema;
    (!schema.primary_key.is_empty()).then(|| schema.primary_key.clone())
}
