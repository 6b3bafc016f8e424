//! `(bid).price`: a field of a struct. A null struct has null fields, whatever lies beneath.
//!
//! Each field is a function of its own, named `field price`: the binder looks it up by that name.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StructArray};
use arrow::compute::{is_null, nullif};
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use crate::planner::error::PlanError;
use crate::types::{Report, SqlState, SqlType};

const PREFIX: &str = "field ";

/// How the access is called in a syntax tree.
pub fn field_name(field: &str) -> String {
    format!("{PREFIX}{field}")
}

/// The function of a name that [`field_name`] made.
pub fn field_named(name: &str) -> Option<Arc<ScalarUDF>> {
    name.strip_prefix(PREFIX).map(field_function)
}

/// Whether a function of that name reads a field, which never fails.
pub fn is_field(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// The field that a function of that name reads.
pub fn field_read(name: &str) -> Option<&str> {
    name.strip_prefix(PREFIX)
}

/// `(expr).field`.
pub fn field(expr: Expr, field: &str) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(field_function(field), vec![expr]))
}

fn field_function(field: &str) -> Arc<ScalarUDF> {
    let signature = Signature::any(1, Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(Field { field: field.to_string(), name: field_name(field), signature }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Field {
    field: String,
    name: String,
    signature: Signature,
}

impl Field {
    fn of(&self, array: &StructArray) -> Result<ArrayRef> {
        let missing = || PlanError::from(Report::internal(format!("a struct without field {}", self.field))).external();
        let column = array.column_by_name(&self.field).ok_or_else(missing)?;
        Ok(if array.null_count() == 0 { column.clone() } else { nullif(column, &is_null(array)?)? })
    }
}

impl ScalarUDFImpl for Field {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn display_name(&self, args: &[Expr]) -> Result<String> {
        Ok(format!("({}).{}", args.first().map(Expr::to_string).unwrap_or_default(), self.field))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Err(PlanError::from(Report::internal("a field's type is that of its field")).external())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let found = args.arg_fields.first().map(|field| field.data_type());
        match found {
            Some(DataType::Struct(fields)) => match fields.iter().find(|field| *field.name() == self.field) {
                Some(found) => Ok(Arc::new(found.as_ref().clone().with_name(&self.name).with_nullable(true))),
                None => {
                    let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
                    let message = format!("field \"{}\" not found in struct", self.field);
                    let error = PlanError::new(SqlState::UNDEFINED_COLUMN, message);
                    Err(error.hinted(format!("The struct has {}.", names.join(", "))).external())
                }
            },
            other => {
                let found = other.map_or(SqlType::Unknown, SqlType::of_arrow);
                let message = format!("column notation .{} applied to type {found}, which is not a composite type", self.field);
                Err(PlanError::new(SqlState::WRONG_OBJECT_TYPE, message).external())
            }
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let no_struct = || PlanError::from(Report::internal("a field of what is no struct")).external();
        match args.args.first() {
            Some(ColumnarValue::Array(array)) => Ok(ColumnarValue::Array(self.of(array.as_struct_opt().ok_or_else(no_struct)?)?)),
            Some(ColumnarValue::Scalar(ScalarValue::Struct(array))) => {
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&self.of(array)?, 0)?))
            }
            _ => Err(no_struct()),
        }
    }
}
