//! The plan of a circuit: what the planner hands to the dataflow. A closed tree of relational verbs over columns.
//!
//! Each node has an output schema; a node's expressions are compiled against its input's schema. The tree says what is
//! to be computed, not how state is kept: which traces an operator needs is the dataflow's own affair, and they are
//! numbered in the order of a depth-first walk, inputs before their consumer, so the same plan has the same traces.
//! The printed form (`Display`) is what `EXPLAIN` shows and what the stored fingerprint of a view is made of.

pub mod growth;
pub mod needs;

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::physical_plan::PhysicalExpr;

use crate::types::ObjectId;

/// A scalar expression over the columns of one input.
#[derive(Clone, Debug)]
pub struct ScalarExpr {
    pub physical: Arc<dyn PhysicalExpr>,
    /// How `EXPLAIN` prints it.
    pub text: String,
}

impl fmt::Display for ScalarExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    Inner,
    /// Every left row; right columns are null where nothing matches.
    Left,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggregateFunction {
    /// Rows.
    CountStar,
    /// Rows whose argument is not null.
    Count,
    Sum,
    Avg,
    Min,
    Max,
}

/// One aggregate over a column of the input.
#[derive(Clone, Debug)]
pub struct AggregateCall {
    pub function: AggregateFunction,
    /// `None` only for `CountStar`.
    pub argument: Option<usize>,
    /// Each value of the argument once, however many rows have it. Not said of what it makes no difference to.
    pub distinct: bool,
    /// A boolean column: only the rows where it is true.
    pub filter: Option<usize>,
    /// The output column's type, as the binder fixed it.
    pub output: DataType,
    /// A maximum that never falls though rows of the input go ([`growth`]): the greatest value so far is all that is kept.
    pub lasting: bool,
}

/// The windows that a row is in: `count` of them, one every `slide` microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    pub slide: i64,
    pub count: usize,
}

/// One column of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortKey {
    pub column: usize,
    pub descending: bool,
    pub nulls_first: bool,
}

#[derive(Clone, Debug)]
pub enum CircuitPlan {
    /// The changes of a relation (source, table or materialized view), all columns.
    Input {
        relation: ObjectId,
        name: String,
        schema: SchemaRef,
        /// Its rows are never changed or taken back.
        append_only: bool,
    },
    /// Rows that are there from the first epoch on.
    Constant {
        rows: RecordBatch,
    },
    Filter {
        input: Box<CircuitPlan>,
        predicate: ScalarExpr,
    },
    Project {
        input: Box<CircuitPlan>,
        expressions: Vec<ScalarExpr>,
        schema: SchemaRef,
    },
    /// The rows of its input: that equal ones are there once, with the sum of their weights, is worth some work, for what comes
    /// next makes many of each.
    Combine {
        input: Box<CircuitPlan>,
    },
    /// One row for each element of the list in `column`, which the element replaces; no row for a null or empty list.
    Unnest {
        input: Box<CircuitPlan>,
        column: usize,
        schema: SchemaRef,
    },
    /// `left.on[i].0 = right.on[i].1` for all `i` (null equals nothing unless `null_equal`) and then `residual`, over left's columns
    /// followed by right's. An empty `on` is a cross join.
    Join {
        left: Box<CircuitPlan>,
        right: Box<CircuitPlan>,
        kind: JoinKind,
        on: Vec<(usize, usize)>,
        null_equal: bool,
        residual: Option<ScalarExpr>,
        schema: SchemaRef,
    },
    /// Output: the group columns, then one column a call. With no group columns there is always exactly one row.
    /// With no calls it is DISTINCT.
    ///
    /// With `windows` the last group column is the start of the first window that a row is in, and the rows of each of the
    /// windows are a group, whose last column is the window's start. A row whose last group column is null is in none.
    Aggregate {
        input: Box<CircuitPlan>,
        group: Vec<usize>,
        windows: Option<Windows>,
        calls: Vec<AggregateCall>,
        schema: SchemaRef,
    },
    /// The rows of each group of equal `partition` columns whose `column` is the greatest in the group; rows with a null in
    /// any of these columns are none of them. Of an input whose greatest value never falls ([`growth`]).
    Greatest {
        input: Box<CircuitPlan>,
        partition: Vec<usize>,
        column: usize,
    },
    /// The first `limit` rows by `order` of each group of equal `partition` columns (nulls are equal). Rows that `order`
    /// leaves equal are ordered by all their columns. A row that is there twice is two rows. With `rank` the last column of
    /// the schema counts them from 1, in a group.
    TopN {
        input: Box<CircuitPlan>,
        partition: Vec<usize>,
        order: Vec<SortKey>,
        limit: usize,
        rank: bool,
        schema: SchemaRef,
    },
    /// UNION ALL; the inputs have the schema's types.
    Union {
        inputs: Vec<CircuitPlan>,
        schema: SchemaRef,
    },
}

impl CircuitPlan {
    pub fn schema(&self) -> SchemaRef {
        match self {
            CircuitPlan::Constant { rows } => rows.schema(),
            CircuitPlan::Filter { input, .. } | CircuitPlan::Combine { input } | CircuitPlan::Greatest { input, .. } => input.schema(),
            CircuitPlan::Input { schema, .. }
            | CircuitPlan::Project { schema, .. }
            | CircuitPlan::Unnest { schema, .. }
            | CircuitPlan::Join { schema, .. }
            | CircuitPlan::Aggregate { schema, .. }
            | CircuitPlan::TopN { schema, .. }
            | CircuitPlan::Union { schema, .. } => schema.clone(),
        }
    }

    pub fn inputs(&self) -> Vec<&CircuitPlan> {
        match self {
            CircuitPlan::Input { .. } | CircuitPlan::Constant { .. } => vec![],
            CircuitPlan::Filter { input, .. }
            | CircuitPlan::Project { input, .. }
            | CircuitPlan::Combine { input }
            | CircuitPlan::Unnest { input, .. }
            | CircuitPlan::Aggregate { input, .. }
            | CircuitPlan::Greatest { input, .. }
            | CircuitPlan::TopN { input, .. } => vec![input],
            CircuitPlan::Join { left, right, .. } => vec![left, right],
            CircuitPlan::Union { inputs, .. } => inputs.iter().collect(),
        }
    }

    /// The relations that the plan reads, each once, in order of first use.
    pub fn relations(&self) -> Vec<ObjectId> {
        let mut found = Vec::new();
        let mut open = vec![self];
        while let Some(plan) = open.pop() {
            if let CircuitPlan::Input { relation, .. } = plan
                && !found.contains(relation)
            {
                found.push(*relation);
            }
            open.extend(plan.inputs().into_iter().rev());
        }
        found
    }

    /// Whether both compute the same from the same relations, in the same way.
    pub fn is_same(&self, other: &CircuitPlan) -> bool {
        let rows = match (self, other) {
            (CircuitPlan::Constant { rows }, CircuitPlan::Constant { rows: others }) => rows == others,
            (CircuitPlan::Input { relation, .. }, CircuitPlan::Input { relation: other, .. }) => relation == other,
            _ => true,
        };
        let (inputs, others) = (self.inputs(), other.inputs());
        let expressions = |plan: &CircuitPlan| plan.expressions().into_iter().map(|e| e.physical.clone()).collect::<Vec<_>>();
        rows && self.schema() == other.schema()
            && inputs.len() == others.len()
            && expressions(self) == expressions(other)
            && self.to_string() == other.to_string()
            && inputs.into_iter().zip(others).all(|(input, other)| input.is_same(other))
    }

    /// The columns that an aggregate's rows are divided by: without the start of its windows, of which a row has several.
    pub fn key_of_groups<'a>(group: &'a [usize], windows: &Option<Windows>) -> &'a [usize] {
        &group[..group.len() - usize::from(windows.is_some() && !group.is_empty())]
    }

    /// The expressions of the node itself.
    fn expressions(&self) -> Vec<&ScalarExpr> {
        match self {
            CircuitPlan::Filter { predicate, .. } => vec![predicate],
            CircuitPlan::Project { expressions, .. } => expressions.iter().collect(),
            CircuitPlan::Join { residual, .. } => residual.iter().collect(),
            _ => vec![],
        }
    }

    /// Whether rows are only ever added to the result.
    pub fn is_append_only(&self) -> bool {
        let inputs = || self.inputs().into_iter().all(CircuitPlan::is_append_only);
        match self {
            CircuitPlan::Input { append_only, .. } => *append_only,
            CircuitPlan::Constant { .. } => true,
            CircuitPlan::Join { kind: JoinKind::Left, .. } | CircuitPlan::TopN { .. } | CircuitPlan::Greatest { .. } => false,
            // A row that has been seen stays seen.
            CircuitPlan::Aggregate { calls, group, .. } => calls.is_empty() && !group.is_empty() && inputs(),
            _ => inputs(),
        }
    }

    /// The verb and its arguments, in one line.
    pub fn label(&self) -> String {
        match self {
            CircuitPlan::Input { name, append_only, .. } => format!("Input {name}{}", if *append_only { ", append-only" } else { "" }),
            CircuitPlan::Constant { rows } => format!("Constant {} rows", rows.num_rows()),
            CircuitPlan::Filter { predicate, .. } => format!("Filter {predicate}"),
            CircuitPlan::Project { expressions, .. } => format!("Project {}", Join(expressions)),
            CircuitPlan::Combine { .. } => "Combine".to_string(),
            CircuitPlan::Unnest { column, .. } => format!("Unnest #{column}"),
            CircuitPlan::Join { kind, on, null_equal, residual, .. } => {
                let equals = if *null_equal { "is not distinct from" } else { "=" };
                let pairs: Vec<String> = on.iter().map(|(left, right)| format!("left#{left} {equals} right#{right}")).collect();
                let pairs = if on.is_empty() { "nothing".to_string() } else { pairs.join(" and ") };
                let residual = residual.as_ref().map_or(String::new(), |residual| format!(" where {residual}"));
                format!("{kind:?}Join on {pairs}{residual}")
            }
            CircuitPlan::Aggregate { group, windows, calls, .. } => {
                let windows = windows.map_or(String::new(), |w| format!(" in {} windows every {} us", w.count, w.slide));
                format!("Aggregate by [{}]{windows} of [{}]", numbered(group), Join(calls))
            }
            CircuitPlan::Greatest { partition, column, .. } => format!("Greatest #{column} by [{}]", numbered(partition)),
            CircuitPlan::TopN { partition, order, limit, rank, .. } => {
                let ranked = if *rank { " with rank" } else { "" };
                format!("TopN {limit} by [{}] order [{}]{ranked}", numbered(partition), Join(order))
            }
            CircuitPlan::Union { .. } => "Union".to_string(),
        }
    }

    fn print(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        writeln!(f, "{:indent$}{}", "", self.label(), indent = depth * 2)?;
        self.inputs().into_iter().try_for_each(|input| input.print(f, depth + 1))
    }
}

impl fmt::Display for CircuitPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.print(f, 0)
    }
}

/// Columns by their numbers, as labels have them.
pub fn numbered(columns: &[usize]) -> String {
    columns.iter().map(|c| format!("#{c}")).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for SortKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.descending { " desc" } else { "" };
        // Nulls are greater than everything else, unless it is said otherwise.
        let nulls = match self.nulls_first {
            nulls_first if nulls_first == self.descending => "",
            true => " nulls first",
            false => " nulls last",
        };
        write!(f, "#{}{direction}{nulls}", self.column)
    }
}

impl fmt::Display for AggregateCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.function)?;
        if let Some(column) = self.argument {
            write!(f, "({}#{column})", if self.distinct { "distinct " } else { "" })?;
        }
        if let Some(column) = self.filter {
            write!(f, " where #{column}")?;
        }
        f.write_str(if self.lasting { ", lasting" } else { "" })
    }
}

/// Prints a list with commas.
struct Join<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for Join<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(i, item)| write!(f, "{}{item}", if i == 0 { "" } else { ", " }))
    }
}
