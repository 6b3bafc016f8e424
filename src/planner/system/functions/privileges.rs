//! Privileges: the one user owns everything and may do everything that floe can do.

use super::super::value::Value;
use super::routine::{Routine, routine};
use crate::types::SqlType;

pub fn routines() -> Vec<Routine> {
    let names = [
        "has_table_privilege",
        "has_any_column_privilege",
        "has_column_privilege",
        "has_schema_privilege",
        "has_database_privilege",
        "has_function_privilege",
        "has_type_privilege",
        "has_sequence_privilege",
        "has_language_privilege",
        "has_tablespace_privilege",
        "has_server_privilege",
        "has_foreign_data_wrapper_privilege",
        "has_parameter_privilege",
        "pg_has_role",
    ];
    names.into_iter().map(|name| routine(name, 2..=4, SqlType::Boolean, |_, _| Ok(Value::Bool(true)))).collect()
}
