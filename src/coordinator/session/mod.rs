//! One client's session: its variables, its transaction, its prepared statements and cursors, and the order in which
//! its statements reach the engine.
//!
//! A session decides *when* something happens (in which transaction, at which epoch, committed or buffered); the
//! [`Engine`] behind it decides *what*: it plans, reads, changes tables and defines objects. Changes of tables are kept
//! in the session until its transaction commits, and its own reads see them.

pub mod begin_commit;
pub mod copy_in;
pub mod copy_lines;
pub mod copy_out;
pub mod cursor;
pub mod describe;
pub mod engine;
pub mod execute;
pub mod interrupt;
pub mod prepared;
pub mod remembered;
pub mod rows;
pub mod session;
pub mod show;
pub mod transaction;
pub mod variables;
pub mod variables_statements;

#[cfg(test)]
pub mod testing;

pub use copy_in::CopyIn;
pub use engine::{Change, Context, Engine, Pin, TableChange};
pub use interrupt::Interrupt;
pub use prepared::Prepared;
pub use remembered::Remembered;
pub use session::Session;
