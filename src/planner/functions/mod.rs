//! The functions that queries can call: DataFusion's, and floe's own where PostgreSQL's answer is another.

pub mod arithmetic;
pub mod cast;
pub mod cast_text;
pub mod division;
pub mod field;
pub mod registry;
pub mod round;
pub mod split_part;
pub mod sums;
pub mod timestamps;
pub mod to_char;
pub mod window;
