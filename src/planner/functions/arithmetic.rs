//! `+ - * / %` over numbers: integers that overflow and divisions by zero are errors, as in PostgreSQL, and never wrap
//! or become infinite.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Datum, new_empty_array};
use arrow::compute::kernels::numeric;
use arrow::datatypes::{DataType, Decimal128Type, Float32Type, Float64Type};
use arrow::error::ArrowError;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use crate::planner::error::PlanError;
use crate::types::eval_error::{out_of_range, report_of_arrow};
use crate::types::{Report, SqlState, SqlType};

use super::division::divide_decimals;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArithmeticOp {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

impl ArithmeticOp {
    pub fn symbol(self) -> &'static str {
        match self {
            ArithmeticOp::Add => "+",
            ArithmeticOp::Subtract => "-",
            ArithmeticOp::Multiply => "*",
            ArithmeticOp::Divide => "/",
            ArithmeticOp::Modulo => "%",
        }
    }
}

/// `left op right`, both of one integer or float type, or both decimals.
pub fn arithmetic(op: ArithmeticOp, left: Expr, right: Expr) -> Expr {
    let function = Arc::new(ScalarUDF::new_from_impl(Arithmetic { op, signature: Signature::any(2, Volatility::Immutable) }));
    Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![left, right]))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Arithmetic {
    op: ArithmeticOp,
    signature: Signature,
}

impl Arithmetic {
    fn compute(&self, left: &dyn Datum, right: &dyn Datum) -> Result<ArrayRef, Report> {
        let (left_type, right_type) = (left.get().0.data_type(), right.get().0.data_type());
        if self.op == ArithmeticOp::Divide && matches!((left_type, right_type), (DataType::Decimal128(..), DataType::Decimal128(..))) {
            return divide_decimals(left, right);
        }
        let float = matches!(right_type, DataType::Float32 | DataType::Float64);
        if float && matches!(self.op, ArithmeticOp::Divide | ArithmeticOp::Modulo) {
            no_zero(right)?;
        }
        let result = match self.op {
            ArithmeticOp::Add => numeric::add(left, right),
            ArithmeticOp::Subtract => numeric::sub(left, right),
            ArithmeticOp::Multiply => numeric::mul(left, right),
            ArithmeticOp::Divide => numeric::div(left, right),
            ArithmeticOp::Modulo => numeric::rem(left, right),
        };
        let result = result.map_err(|error| match error {
            ArrowError::ArithmeticOverflow(_) => out_of_range(&SqlType::of_arrow(left_type)),
            error => report_of_arrow(&error),
        })?;
        match result.data_type() {
            DataType::Decimal128(precision, _) => {
                let within = result.as_primitive::<Decimal128Type>().validate_decimal_precision(*precision);
                within.map_err(|_| out_of_range(&SqlType::NUMERIC))?;
            }
            DataType::Float32 | DataType::Float64 => no_new_infinity(left, right, &result)?,
            _ => {}
        }
        Ok(result)
    }
}

impl ScalarUDFImpl for Arithmetic {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        self.op.symbol()
    }

    fn display_name(&self, args: &[Expr]) -> Result<String> {
        self.schema_name(args)
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let text = |i: usize| args.get(i).map(Expr::to_string).unwrap_or_default();
        Ok(format!("({} {} {})", text(0), self.op.symbol(), text(1)))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [left, right] = types else { return Err(PlanError::from(Report::internal("arithmetic has two operands")).external()) };
        let result = self.compute(&new_empty_array(left), &new_empty_array(right));
        result.map(|array| array.data_type().clone()).map_err(|report| PlanError::from(report).external())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let operands = match args.args.as_slice() {
            [left, right] => (datum(left)?, datum(right)?),
            _ => return Err(PlanError::from(Report::internal("arithmetic has two operands")).external()),
        };
        let scalar = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let result = self.compute(operands.0.as_ref(), operands.1.as_ref()).map_err(|report| PlanError::from(report).external())?;
        if scalar { Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?)) } else { Ok(ColumnarValue::Array(result)) }
    }
}

fn datum(value: &ColumnarValue) -> Result<Box<dyn Datum>> {
    Ok(match value {
        ColumnarValue::Array(array) => Box::new(array.clone()),
        ColumnarValue::Scalar(scalar) => Box::new(scalar.to_scalar()?),
    })
}

fn values(datum: &dyn Datum) -> (Vec<Option<f64>>, bool) {
    let (array, scalar) = datum.get();
    let values = match array.data_type() {
        DataType::Float32 => array.as_primitive::<Float32Type>().iter().map(|v| v.map(f64::from)).collect(),
        DataType::Float64 => array.as_primitive::<Float64Type>().iter().collect(),
        _ => Vec::new(),
    };
    (values, scalar)
}

fn no_zero(divisor: &dyn Datum) -> Result<(), Report> {
    match values(divisor).0.contains(&Some(0.0)) {
        true => Err(Report::error(SqlState::DIVISION_BY_ZERO, "division by zero")),
        false => Ok(()),
    }
}

/// A result may be infinite only where an operand is.
fn no_new_infinity(left: &dyn Datum, right: &dyn Datum, result: &ArrayRef) -> Result<(), Report> {
    let results = values(result).0;
    if !results.iter().flatten().any(|v| v.is_infinite()) {
        return Ok(());
    }
    let (left, right) = (values(left), values(right));
    let finite = |(values, scalar): &(Vec<Option<f64>>, bool), i: usize| {
        values.get(if *scalar { 0 } else { i }).copied().flatten().is_none_or(f64::is_finite)
    };
    let overflows = |(i, v): (usize, &Option<f64>)| v.is_some_and(f64::is_infinite) && finite(&left, i) && finite(&right, i);
    match results.iter().enumerate().any(overflows) {
        true => Err(out_of_range(&SqlType::Double)),
        false => Ok(()),
    }
}
