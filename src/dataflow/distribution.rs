//! Where the rows of a node are: which of them can be found in one part, and what has to move before a verb can be applied.
//!
//! A node's change is in parts. A linear verb takes each part by itself. A keyed one needs all rows of a key in one part, the
//! shard of the key: where its input is not divided like that, or by fewer of the key's columns, its rows are exchanged.

use datafusion::physical_expr::expressions::Column;

use crate::planner::circuit_plan::{CircuitPlan, JoinKind, ScalarExpr};

/// How a node's rows are divided into parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// Into any parts.
    Pieces,
    /// All in one part.
    One,
    /// By the shard of a key: for each of its columns, in the order in which they are hashed, the columns of the node that
    /// are that column.
    Shards(Vec<Vec<usize>>),
}

/// What a verb needs of one of its inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing: it is applied to each part.
    Any,
    One,
    /// The shards of that key.
    Shards(Vec<usize>),
}

impl Distribution {
    pub fn by(key: &[usize]) -> Distribution {
        Distribution::Shards(key.iter().map(|column| vec![*column]).collect())
    }

    /// Whether equal rows are in one part.
    pub fn gathers_equals(&self) -> bool {
        *self != Distribution::Pieces
    }

    /// Whether the rows are where they are needed.
    pub fn meets(&self, need: &Need) -> bool {
        match (self, need) {
            (_, Need::Any) | (Distribution::One, Need::One) => true,
            (Distribution::Shards(hashed), Need::Shards(key)) => {
                hashed.len() == key.len() && hashed.iter().zip(key).all(|(columns, column)| columns.contains(column))
            }
            _ => false,
        }
    }

    /// The columns that are hashed, if all of them are among `key`: rows of equal keys are in one part then.
    fn within(&self, key: &[usize]) -> Option<Vec<usize>> {
        let Distribution::Shards(hashed) = self else { return None };
        hashed.iter().map(|columns| columns.iter().copied().find(|column| key.contains(column))).collect()
    }

    /// The same rows under other columns: `new` are the places at which a column is afterwards.
    fn moved(&self, new: impl Fn(usize) -> Vec<usize>) -> Distribution {
        let Distribution::Shards(hashed) = self else { return self.clone() };
        let hashed: Vec<Vec<usize>> = hashed.iter().map(|columns| columns.iter().flat_map(|column| new(*column)).collect()).collect();
        match hashed.iter().any(Vec::is_empty) {
            true => Distribution::Pieces,
            false => Distribution::Shards(hashed),
        }
    }
}

/// What the plan's own verb needs of its inputs, which are divided like that.
pub fn needs(plan: &CircuitPlan, inputs: &[Distribution]) -> Vec<Need> {
    let keyed = |key: &[usize]| match inputs {
        _ if key.is_empty() => vec![Need::One],
        [input] => vec![Need::Shards(input.within(key).unwrap_or_else(|| key.to_vec()))],
        _ => vec![Need::Shards(key.to_vec())],
    };
    match plan {
        CircuitPlan::Aggregate { group, windows, .. } => keyed(CircuitPlan::key_of_groups(group, windows)),
        CircuitPlan::Greatest { partition, .. } => keyed(partition),
        CircuitPlan::TopN { partition, .. } => keyed(partition),
        CircuitPlan::Join { on, .. } if on.is_empty() => vec![Need::One, Need::One],
        CircuitPlan::Join { on, .. } => {
            let (left, right): (Vec<usize>, Vec<usize>) = on.iter().copied().unzip();
            // Both sides by the same of the key's columns: by those that one of them is divided by already.
            let place = |key: &[usize], column: usize| key.iter().position(|other| *other == column);
            let chosen = match inputs {
                [a, b] => {
                    let by = |side: &Distribution, key: &[usize]| -> Option<Vec<usize>> {
                        side.within(key)?.into_iter().map(|column| place(key, column)).collect()
                    };
                    by(a, &left).or_else(|| by(b, &right))
                }
                _ => None,
            };
            let chosen = chosen.unwrap_or_else(|| (0..on.len()).collect());
            let of = |key: &[usize]| Need::Shards(chosen.iter().map(|place| key[*place]).collect());
            vec![of(&left), of(&right)]
        }
        _ => inputs.iter().map(|_| Need::Any).collect(),
    }
}

/// How the result of the plan's own verb is divided when its inputs, which meet its needs, are divided like that.
pub fn result(plan: &CircuitPlan, inputs: &[Distribution]) -> Distribution {
    let first = inputs.first().unwrap_or(&Distribution::Pieces);
    match plan {
        CircuitPlan::Input { .. } => Distribution::Pieces,
        CircuitPlan::Constant { .. } => Distribution::One,
        CircuitPlan::Filter { .. } | CircuitPlan::Combine { .. } | CircuitPlan::TopN { .. } | CircuitPlan::Greatest { .. } => first.clone(),
        CircuitPlan::Project { expressions, .. } => first.moved(|column| places_of(expressions, column)),
        CircuitPlan::Unnest { column: list, .. } => first.moved(|column| if column == *list { vec![] } else { vec![column] }),
        CircuitPlan::Aggregate { group, .. } => {
            first.moved(|column| group.iter().enumerate().filter(|(_, g)| **g == column).map(|(place, _)| place).collect())
        }
        CircuitPlan::Join { left, on, kind, .. } => {
            let width = left.schema().fields().len();
            first.moved(|column| {
                let pairs = on.iter().filter(|(l, _)| *l == column && *kind == JoinKind::Inner).map(|(_, right)| width + right);
                [column].into_iter().chain(pairs).collect()
            })
        }
        CircuitPlan::Union { .. } => match inputs {
            [first, rest @ ..] if rest.iter().all(|other| other == first) => first.clone(),
            _ => Distribution::Pieces,
        },
    }
}

/// Where a projection has a column as it is.
fn places_of(expressions: &[ScalarExpr], column: usize) -> Vec<usize> {
    let is_it = |expression: &ScalarExpr| expression.physical.as_any().downcast_ref::<Column>().is_some_and(|c| c.index() == column);
    expressions.iter().enumerate().filter(|(_, expression)| is_it(expression)).map(|(place, _)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataflow::worlds::{column, columns, input, scalar};

    fn shards(key: &[usize]) -> Need {
        Need::Shards(key.to_vec())
    }

    #[test]
    fn rows_move_only_where_the_key_changes() {
        let group = |group: &[usize]| CircuitPlan::Aggregate {
            input: input(0, "a b c"),
            group: group.to_vec(),
            windows: None,
            calls: vec![],
            schema: columns("x y"),
        };
        assert_eq!(needs(&group(&[1, 0]), &[Distribution::Pieces]), [shards(&[1, 0])]);
        assert_eq!(needs(&group(&[1, 0]), &[Distribution::by(&[0])]), [shards(&[0])], "divided by one of its columns is enough");
        assert_eq!(needs(&group(&[1, 0]), &[Distribution::by(&[0, 2])]), [shards(&[1, 0])], "rows of a group are in several parts");
        assert_eq!(needs(&group(&[]), &[Distribution::by(&[0])]), [Need::One]);
        assert_eq!(result(&group(&[1, 0]), &[Distribution::by(&[0])]), Distribution::by(&[1]));
        assert!(Distribution::by(&[0]).meets(&shards(&[0])) && !Distribution::by(&[0]).meets(&shards(&[1])));
        assert!(!Distribution::by(&[0, 1]).meets(&shards(&[1, 0])), "the order is part of the hash");
    }

    #[test]
    fn both_sides_of_a_join_are_divided_alike() {
        let join = |kind| {
            let (left, right, schema) = (input(0, "a b"), input(1, "x y z"), columns("a b x y z"));
            CircuitPlan::Join { left, right, kind, on: vec![(0, 2), (1, 1)], null_equal: false, residual: None, schema }
        };
        let inner = join(JoinKind::Inner);
        assert_eq!(needs(&inner, &[Distribution::Pieces, Distribution::Pieces]), [shards(&[0, 1]), shards(&[2, 1])]);
        assert_eq!(needs(&inner, &[Distribution::Pieces, Distribution::by(&[1])]), [shards(&[1]), shards(&[1])]);
        assert_eq!(needs(&inner, &[Distribution::by(&[1, 0]), Distribution::by(&[2])]), [shards(&[1, 0]), shards(&[1, 2])]);
        let sides = [Distribution::by(&[1]), Distribution::by(&[1])];
        assert_eq!(result(&inner, &sides), Distribution::Shards(vec![vec![1, 3]]), "both columns of the pair");
        assert_eq!(result(&join(JoinKind::Left), &sides), Distribution::by(&[1]), "the right one may be null");
    }

    #[test]
    fn a_projection_keeps_what_it_passes_on() {
        let project = |places: &[usize]| {
            let expressions: Vec<_> = places.iter().map(|place| scalar(column(*place))).collect();
            CircuitPlan::Project { input: input(0, "a b c"), expressions, schema: columns("x y") }
        };
        assert_eq!(result(&project(&[1, 0]), &[Distribution::by(&[0])]), Distribution::by(&[1]));
        assert_eq!(result(&project(&[1, 2]), &[Distribution::by(&[0])]), Distribution::Pieces);
        assert_eq!(result(&project(&[1, 2]), &[Distribution::One]), Distribution::One);
    }
}
