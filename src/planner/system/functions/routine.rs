//! A system function as DataFusion calls it: a name, how many arguments, a result type and a body over one row.

use std::any::Any;
use std::hash::{Hash, Hasher};
use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};

use super::super::value::{self, Value};
use super::super::view::SystemView;
use crate::types::{Report, SqlState, SqlType};

pub type Body = fn(&SystemView, &[Value]) -> Result<Value, Report>;

/// What a function is, apart from what it answers from.
#[derive(Clone, Debug)]
pub struct Routine {
    pub name: &'static str,
    pub arguments: RangeInclusive<usize>,
    pub result: SqlType,
    /// Any NULL argument makes the result NULL, and the body never sees one.
    pub strict: bool,
    /// `Volatile` for what has an effect; all else is `Stable`.
    pub volatility: Volatility,
    pub body: Body,
}

/// A strict, stable function.
pub fn routine(name: &'static str, arguments: RangeInclusive<usize>, result: SqlType, body: Body) -> Routine {
    Routine { name, arguments, result, strict: true, volatility: Volatility::Stable, body }
}

impl Routine {
    /// NULL arguments reach the body.
    pub fn lenient(self) -> Routine {
        Routine { strict: false, ..self }
    }

    pub fn volatile(self) -> Routine {
        Routine { volatility: Volatility::Volatile, ..self }
    }

    pub fn bind(self, view: &Arc<SystemView>) -> Arc<ScalarUDF> {
        let signature = Signature::one_of(vec![TypeSignature::Nullary, TypeSignature::VariadicAny], self.volatility);
        Arc::new(ScalarUDF::new_from_impl(Bound { routine: self, signature, view: Arc::clone(view) }))
    }
}

#[derive(Debug)]
struct Bound {
    routine: Routine,
    signature: Signature,
    view: Arc<SystemView>,
}

// Within one statement all functions answer from the same view, so the name tells them apart.
impl PartialEq for Bound {
    fn eq(&self, other: &Bound) -> bool {
        self.routine.name == other.routine.name
    }
}

impl Eq for Bound {}

impl Hash for Bound {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.routine.name.hash(state);
    }
}

impl ScalarUDFImpl for Bound {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        self.routine.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        if self.routine.arguments.contains(&arguments.len()) {
            return Ok(self.routine.result.arrow());
        }
        let types: Vec<String> = arguments.iter().map(|t| SqlType::of_arrow(t).to_string()).collect();
        let message = format!("function {}({}) does not exist", self.routine.name, types.join(", "));
        let report = Report::error(SqlState::UNDEFINED_FUNCTION, message);
        Err(failed(report.hint("No function matches the given name and argument types. You might need to add explicit type casts.")))
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs) -> Result<FieldRef> {
        let types: Vec<DataType> = arguments.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        self.return_type(&types)?;
        Ok(Arc::new(self.routine.result.field(self.routine.name)))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = arguments.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { arguments.number_rows };
        let columns =
            arguments.args.iter().map(|argument| Ok(value::values(&argument.to_array(rows)?)?)).collect::<Result<Vec<Vec<Value>>>>()?;
        let mut results = Vec::with_capacity(rows);
        for at in 0..rows {
            let row: Vec<Value> = columns.iter().map(|column| column.get(at).cloned().unwrap_or(Value::Null)).collect();
            if self.routine.strict && row.iter().any(Value::is_null) {
                results.push(Value::Null);
            } else {
                results.push((self.routine.body)(&self.view, &row).map_err(failed)?);
            }
        }
        let array = value::column(&self.routine.result, &results)?;
        Ok(if constant { ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?) } else { ColumnarValue::Array(array) })
    }
}

/// A report on its way through DataFusion.
fn failed(report: Report) -> DataFusionError {
    DataFusionError::External(Box::new(report))
}
