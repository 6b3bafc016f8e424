//! What floe says it is to PostgreSQL's clients: one answer, given everywhere that a version is asked for.
//!
//! psql chooses its catalog queries by `server_version_num`, and SQLAlchemy parses `version()`; both must see a
//! PostgreSQL whose catalogs floe imitates.

/// `SHOW server_version` and the start-up parameter of the same name.
pub const SERVER_VERSION: &str = "15.9 (floe 0.1.0)";

/// `SHOW server_version_num`.
pub const SERVER_VERSION_NUM: &str = "150009";

/// `SELECT version()`.
pub const VERSION: &str = "PostgreSQL 15.9 on x86_64-pc-linux-gnu (floe 0.1.0)";
