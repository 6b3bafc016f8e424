//! `TUMBLE` and `HOP` in FROM become subqueries over projections and an unnest.
//!
//! `TUMBLE(r, c, size) a` is `(SELECT *, tumble_start(c, size) AS window_start, window_end(..., size) AS window_end FROM r
//! WHERE c IS NOT NULL) a`; `HOP(r, c, slide, size)` unnests the list of starts. A row without an instant is in no window.
//! Where a size is a whole number of slides, all instants of one slide are in the same windows: the list is then made of the
//! slide's start, so that rows that differ in nothing else can be put together before they are unnested.

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectName, SelectItem, TableAlias, TableAliasColumnDef, TableFactor,
};

use crate::planner::error::{PlanError, PlanResult};
use crate::planner::functions::window::{MAX_WINDOWS, too_many, window_micros};
use crate::sql::interval::parse;
use crate::sql::names::folded;
use crate::types::SqlState;

use super::trees::{alias, call, derived, ident, object_name, select_all, select_of, table};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Tumble,
    Hop,
}

/// Rewrites the factor if it is a window function.
pub fn rewrite(factor: &mut TableFactor) -> PlanResult<()> {
    let (name, arguments, outer) = match factor {
        TableFactor::Table { name, args: Some(args), alias, .. } => (name.clone(), args.args.clone(), alias.take()),
        TableFactor::Function { name, args, alias, .. } => (name.clone(), args.clone(), alias.take()),
        // `TABLE(TUMBLE(...))`
        TableFactor::TableFunction { expr: Expr::Function(function), alias } => match &function.args {
            FunctionArguments::List(list) => (function.name.clone(), list.args.clone(), alias.take()),
            _ => return Ok(()),
        },
        _ => return Ok(()),
    };
    let kind = match last_name(&name).as_deref() {
        Some("tumble") => Kind::Tumble,
        Some("hop") => Kind::Hop,
        Some(other @ ("session" | "cumulate")) => {
            return Err(PlanError::unsupported(format!("{}(...) is not supported", other.to_uppercase()), "use TUMBLE or HOP"));
        }
        other => {
            // `FROM generate_series(1, 3) AS g` calls its one column g.
            let series = matches!(other, Some("generate_series" | "generate_subscripts"));
            let outer = outer.map(|alias| match series && alias.columns.is_empty() {
                true => TableAlias { columns: vec![TableAliasColumnDef { name: alias.name.clone(), data_type: None }], ..alias },
                false => alias,
            });
            put_back(factor, outer);
            return Ok(());
        }
    };
    *factor = window(kind, &arguments, outer)?;
    Ok(())
}

fn put_back(factor: &mut TableFactor, outer: Option<TableAlias>) {
    match factor {
        TableFactor::Table { alias, .. } | TableFactor::Function { alias, .. } | TableFactor::TableFunction { alias, .. } => *alias = outer,
        _ => {}
    }
}

fn last_name(name: &ObjectName) -> Option<String> {
    name.0.last()?.as_ident().map(folded)
}

fn window(kind: Kind, arguments: &[FunctionArg], outer: Option<TableAlias>) -> PlanResult<TableFactor> {
    let Arguments { relation, column, slide, size, whole_slides } = Arguments::of(kind, arguments)?;
    let (from, own_name) = match relation {
        Expr::Subquery(query) => (derived(query, None), None),
        Expr::Identifier(name) => (table(object_name([name.clone()]), None), Some(name)),
        Expr::CompoundIdentifier(parts) => {
            let last = parts.last().cloned();
            (table(object_name(parts), None), last)
        }
        _ => return Err(usage(kind)),
    };
    let mut inner = select_all(from)?;
    let select = select_of(&mut inner)?;
    select.selection = Some(Expr::IsNotNull(Box::new(column.clone())));
    let start = match &slide {
        None => call("tumble_start", vec![column, size.clone()]),
        Some(slide) => {
            let instant = if whole_slides { call("tumble_start", vec![column, slide.clone()]) } else { column };
            call("unnest", vec![call("hop_starts", vec![instant, slide.clone(), size.clone()])])
        }
    };
    select.projection.push(SelectItem::ExprWithAlias { expr: start, alias: ident("window_start") });
    // The end is taken of the start that is there by then.
    let mut outside = select_all(derived(inner, Some(alias(ident("window")))))?;
    let end = call("window_end", vec![Expr::Identifier(ident("window_start")), size]);
    select_of(&mut outside)?.projection.push(SelectItem::ExprWithAlias { expr: end, alias: ident("window_end") });
    let outer = outer.or_else(|| own_name.map(alias)).unwrap_or_else(|| alias(ident("window")));
    Ok(derived(outside, Some(outer)))
}

struct Arguments {
    relation: Expr,
    column: Expr,
    slide: Option<Expr>,
    size: Expr,
    /// The size is a whole number of slides.
    whole_slides: bool,
}

impl Arguments {
    fn of(kind: Kind, arguments: &[FunctionArg]) -> PlanResult<Arguments> {
        let (mut named, mut positional) = (Vec::new(), Vec::new());
        for argument in arguments {
            match argument {
                FunctionArg::Named { name, arg: FunctionArgExpr::Expr(expr), .. } => named.push((folded(name), expr.clone())),
                FunctionArg::ExprNamed { name: Expr::Identifier(name), arg: FunctionArgExpr::Expr(expr), .. } => {
                    named.push((folded(name), expr.clone()));
                }
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => positional.push(expr.clone()),
                _ => return Err(usage(kind)),
            }
        }
        let wanted: &[&[&str]] = match kind {
            Kind::Tumble => &[&["data"], &["timecol"], &["size"]],
            Kind::Hop => &[&["data"], &["timecol"], &["slide"], &["size"]],
        };
        let mut positional = positional.into_iter();
        let mut found = Vec::new();
        for names in wanted {
            let by_name = named.iter().position(|(name, _)| names.contains(&name.as_str())).map(|at| named.remove(at).1);
            found.push(by_name.or_else(|| positional.next()).ok_or_else(|| usage(kind))?);
        }
        if positional.next().is_some() || !named.is_empty() {
            return Err(usage(kind));
        }
        let mut found = found.into_iter();
        let mut next = || found.next().ok_or_else(|| usage(kind));
        let (relation, column) = (next()?, descriptor(next()?)?);
        let slide = if kind == Kind::Hop { Some(next()?) } else { None };
        let size = next()?;
        let size_micros = length(&size)?;
        let slide_micros = slide.as_ref().map(length).transpose()?;
        if slide_micros.is_some_and(|slide| size_micros / slide > MAX_WINDOWS) {
            return Err(too_many().into());
        }
        let whole_slides = slide_micros.is_some_and(|slide| size_micros % slide == 0);
        Ok(Arguments { relation, column, slide, size, whole_slides })
    }
}

/// `DESCRIPTOR(c)` is c.
fn descriptor(expr: Expr) -> PlanResult<Expr> {
    let column = match &expr {
        Expr::Function(function) if last_name(&function.name).as_deref() == Some("descriptor") => match &function.args {
            FunctionArguments::List(list) => match list.args.as_slice() {
                [FunctionArg::Unnamed(FunctionArgExpr::Expr(column))] => column.clone(),
                _ => expr,
            },
            _ => expr,
        },
        _ => expr,
    };
    match column {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => Ok(column),
        _ => Err(PlanError::new(SqlState::SYNTAX_ERROR, "the second argument of a time window must be a column's name")),
    }
}

/// The length of a constant interval in microseconds.
fn length(expr: &Expr) -> PlanResult<i64> {
    let text = match expr {
        Expr::Interval(interval) => match interval.value.as_ref() {
            Expr::Value(value) => value.value.clone().into_string(),
            _ => None,
        },
        _ => None,
    };
    let Some(text) = text else {
        return Err(PlanError::unsupported(
            "a time window whose size is not a constant is not supported",
            "write it as INTERVAL '5 minutes'",
        ));
    };
    let value = parse(&text)?;
    Ok(window_micros(value.months, value.days, value.nanos)?)
}

fn usage(kind: Kind) -> PlanError {
    let (what, hint) = match kind {
        Kind::Tumble => ("TUMBLE takes a relation, a column and a size", "TUMBLE(orders, created_at, INTERVAL '1 minute')"),
        Kind::Hop => {
            ("HOP takes a relation, a column, a slide and a size", "HOP(orders, created_at, INTERVAL '1 minute', INTERVAL '5 minutes')")
        }
    };
    PlanError::from(crate::types::Report::error(SqlState::SYNTAX_ERROR, what).hint(hint))
}
