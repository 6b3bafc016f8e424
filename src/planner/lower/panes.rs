//! An aggregate over hopping windows adds rows up by slide, not once for each of the windows that they are in.
//!
//! `GROUP BY k, window_start, window_end` over a row for each window becomes groups by `k` and the first of a row's windows,
//! of which the aggregate makes windows itself ([`Windows`]); what else is made of the window's start is computed of its
//! result. For calls that add up, over windows that are a whole number of slides.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_plan::PhysicalExpr;

use crate::planner::circuit_plan::growth::is_number;
use crate::planner::circuit_plan::{AggregateCall, AggregateFunction, CircuitPlan, ScalarExpr, Windows};
use crate::planner::error::PlanResult;
use crate::planner::functions::window::{Hop, is_end};
use crate::planner::options::options;

use super::composed::{Composed, composed, over};
use super::expressions;

/// The aggregate, by slides where that can be.
pub fn in_panes(plan: CircuitPlan) -> PlanResult<CircuitPlan> {
    Ok(match by_slides(&plan)? {
        Some(better) => better,
        None => plan,
    })
}

fn by_slides(plan: &CircuitPlan) -> PlanResult<Option<CircuitPlan>> {
    let CircuitPlan::Aggregate { input, group, windows: None, calls, schema } = plan else { return Ok(None) };
    let unnested = composed(input)?;
    let CircuitPlan::Unnest { input: lists, column: list, schema: of_windows } = unnested.base else { return Ok(None) };
    let CircuitPlan::Project { input: rows, expressions: before, .. } = lists.as_ref() else { return Ok(None) };
    let Some(hop) = before.get(*list).and_then(|starts| Hop::of(&starts.physical)) else { return Ok(None) };
    let count = usize::try_from(hop.size / hop.slide).unwrap_or(0);
    let adds_up = calls.iter().all(|call| adds_up(call, &input.schema(), input.is_append_only()));
    if count < 2 || hop.size % hop.slide != 0 || !adds_up {
        return Ok(None);
    }
    let Some(places) = Places::of(&unnested, *list, group, calls) else { return Ok(None) };

    // 1. Keys, arguments and filters, and the first of a row's windows.
    let below = rows.schema();
    let (mut first, mut fields) = (Vec::new(), Vec::new());
    for column in places.keys.iter().map(|place| group[*place]).chain(places.others.iter().copied()) {
        let Some(expression) = over(&unnested.columns[column], before)? else { return Ok(None) };
        first.push(expression);
        fields.push(input.schema().field(column).clone());
    }
    let start = first.len();
    let starts = hop.first(&below, options())?;
    fields.push(of_windows.field(*list).clone());
    first.push(ScalarExpr { text: starts.to_string(), physical: starts });
    let projected = CircuitPlan::Project { input: rows.clone(), expressions: first, schema: Arc::new(Schema::new(fields)) };

    // 2. The aggregate.
    let keys = places.keys.len();
    let place_of = |column: usize| places.others.iter().position(|other| *other == column).map(|place| keys + place);
    let moved = |call: &AggregateCall| AggregateCall {
        argument: call.argument.and_then(place_of),
        filter: call.filter.and_then(place_of),
        ..call.clone()
    };
    let results = &schema.fields()[group.len()..];
    let fields = places.keys.iter().map(|place| schema.field(*place).clone());
    let fields = fields.chain([of_windows.field(*list).clone()]).chain(results.iter().map(|field| field.as_ref().clone()));
    let summed: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<Field>>()));
    let aggregate = CircuitPlan::Aggregate {
        input: Box::new(projected),
        group: (0..keys).chain([start]).collect(),
        windows: Some(Windows { slide: hop.slide, count }),
        calls: calls.iter().map(moved).collect(),
        schema: summed.clone(),
    };

    // 3. The columns as they were.
    let column = |at: usize| expressions::column(&summed, at, summed.field(at).data_type());
    let start = column(keys)?;
    let mut last = Vec::new();
    for (place, by) in group.iter().enumerate() {
        match places.keys.iter().position(|key| *key == place) {
            Some(key) => last.push(column(key)?),
            None => {
                // The start stands for every column of the unnested rows: it is the only one that is read.
                let Some(made) = over(&unnested.columns[*by], &vec![start.clone(); of_windows.fields().len()])? else { return Ok(None) };
                last.push(made);
            }
        }
    }
    for call in 0..calls.len() {
        last.push(column(keys + 1 + call)?);
    }
    Ok(Some(CircuitPlan::Project { input: Box::new(aggregate), expressions: last, schema: schema.clone() }))
}

/// What of an aggregate's input is of a row itself, and what of the window.
struct Places {
    /// Places among the group columns of those that have nothing of the window.
    keys: Vec<usize>,
    /// Columns of the input that are arguments or filters, each once.
    others: Vec<usize>,
}

impl Places {
    /// `None` where a window's rows are not one group a key, or a call asks for the window.
    fn of(input: &Composed<'_>, list: usize, group: &[usize], calls: &[AggregateCall]) -> Option<Places> {
        let reads = |column: usize| -> Vec<usize> {
            collect_columns(&input.columns[column].physical).iter().map(|column| column.index()).collect()
        };
        let is_start = |expr: &Arc<dyn PhysicalExpr>| expr.as_any().downcast_ref::<Column>().is_some_and(|c| c.index() == list);
        let (mut keys, mut told_apart) = (Vec::new(), false);
        for (place, column) in group.iter().enumerate() {
            let of_row = reads(*column);
            if !of_row.contains(&list) {
                keys.push(place);
                continue;
            }
            if of_row != [list] {
                return None;
            }
            let expr = &input.columns[*column].physical;
            told_apart |= is_start(expr) || (is_end(expr) && expr.children().first().is_some_and(|start| is_start(start)));
        }
        let mut others = Vec::new();
        for column in calls.iter().flat_map(|call| [call.argument, call.filter]).flatten() {
            if reads(column).contains(&list) {
                return None;
            }
            if !others.contains(&column) {
                others.push(column);
            }
        }
        told_apart.then_some(Places { keys, others })
    }
}

/// Whether a window's result follows from those of its slides.
fn adds_up(call: &AggregateCall, input: &SchemaRef, append_only: bool) -> bool {
    use AggregateFunction::{Avg, Count, CountStar, Max, Min, Sum};
    let argument = call.argument.map(|column| input.field(column).data_type());
    match call.function {
        CountStar | Count => !call.distinct,
        Sum | Avg => !call.distinct && argument.is_some_and(|argument| !argument.is_floating()),
        Min | Max => append_only && argument.is_some_and(is_number),
    }
}
