//! What a panic said, as an error of floe itself: a defect in one thread is told, and does not look like an orderly end.

use std::any::Any;

use crate::types::Report;

/// `what` is the thread or task that is no more.
pub fn panicked(what: &str, panic: &(dyn Any + Send)) -> Report {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    Report::internal(format!("{what} has failed")).detail(text.unwrap_or("A panic without a text."))
}
