//! What clients talk to: the PostgreSQL protocol, and HTTP for health and metrics.
//!
//! pgwire gives the messages and SCRAM; the conversation is floe's own. It reads the socket while a statement runs, so
//! that a client that leaves is noticed; it sends rows as they come and flushes when none are ready, so that memory stays
//! flat and slow streams still arrive; and a cancel or a timeout stops the row stream itself.

pub mod auth;
pub mod backend;
pub mod cancel;
pub mod connection;
pub mod copy;
pub mod error;
pub mod extended;
pub mod frontend;
pub mod http;
pub mod listener;
pub mod parameters;
pub mod portal;
pub mod row_sender;
pub mod simple;
pub mod startup;
pub mod wire;

#[cfg(test)]
mod tests;

pub use error::ServerError;
pub use listener::{Server, ServerConfig};
