//! The verbs of a circuit, one a file.
//!
//! | verb | is | state |
//! |---|---|---|
//! | input, filter, project, combine, unnest, union | linear: the change of the result is the verb applied to the change | none |
//! | constant | all of it in the first epoch | whether it was given |
//! | join | bilinear | both sides; for the left join how many right rows each key has |
//! | aggregate | neither: the change is the new result minus the old one, for the groups that changed | accumulators, one a slide for windows; values for min and max |
//! | greatest | neither, likewise | the rows of each group that have its greatest value |
//! | top n | neither, likewise | all rows of its input, by group |
//! | upsert | makes changes of keyed operations | the current row of each key |
//! | materialize | the sum of all changes | the result |

pub mod aggregate;
pub mod combine;
pub mod constant;
pub mod filter;
pub mod greatest;
pub mod input;
pub mod join;
pub mod materialize;
pub mod project;
pub mod slots;
pub mod top_n;
pub mod union;
pub mod unnest;
pub mod upsert;
