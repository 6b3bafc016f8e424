//! Made-up rows, the same for the same seed: for demos, tests and load.
//!
//! Row number i depends on the seed and on i alone, so a stretch of rows can be made again. The clock only says how many
//! rows are due. With FORMAT DEBEZIUM the rows are changes: keys are inserted, updated, deleted and inserted again.
//!
//! [`shop`] writes Debezium messages of a small shop as JSON lines, for the file connector to follow; [`orders`] writes those of
//! one large table; [`nexmark`] writes the public benchmark's stream.

pub mod config;
pub mod nexmark;
pub mod orders;
pub mod rows;
pub mod shop;
pub mod source;

pub use shop::{Shop, ShopOptions, write_shop_events};
pub use source::DatagenSource;
