//! What a group's record is made of: which sums and counts the calls need, each kept once, and where it lies.
//!
//! ```text
//! weight of the group's rows, 8 bytes | number of the group, 4 bytes, where some call is distinct | accumulators
//! ```
//!
//! Numbers are little endian. What has no fixed size is kept elsewhere: sums of floats in cells beside the records, the
//! values of a min or max that may be taken back in a trace.

use arrow::datatypes::SchemaRef;

use crate::dataflow::operators::aggregate::call::{Call, Kind};
use crate::planner::circuit_plan::growth::is_number;
use crate::types::ExactInteger;

/// Which rows a call sees: those where the filter's column is true; of equal values of the distinct column one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    pub filter: Option<usize>,
    pub distinct: Option<usize>,
}

/// One thing that is kept of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accumulator {
    pub stream: usize,
    /// Rows whose value here is null do not count; all do without it.
    pub column: Option<usize>,
    pub what: What,
    /// Where it lies in the record, or its place among the sums of floats.
    pub at: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Count,
    Integers,
    Floats,
    /// The least or greatest value so far: whether there is one, and the value. Of rows that are never taken back, or are
    /// `replaced` by ones that are no less.
    Extreme {
        greatest: bool,
        replaced: bool,
    },
}

impl What {
    fn bytes(self) -> usize {
        match self {
            What::Count => 8,
            What::Integers => ExactInteger::BYTES,
            What::Floats => 0,
            What::Extreme { .. } => 1 + 16,
        }
    }
}

/// Where a call's result comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The weight of the group's rows.
    Weight,
    Count(usize),
    /// A sum of integers and the count of its values.
    Integers {
        sum: usize,
        count: usize,
    },
    /// The place of a sum of floats, and the count of its values.
    Floats {
        sum: usize,
        count: usize,
    },
    Extreme(usize),
    /// The trace of values at that place, from its first or its last entry.
    Values {
        at: usize,
        last: bool,
    },
}

/// A column whose least and greatest values are looked for in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueTrace {
    pub column: usize,
    pub filter: Option<usize>,
    pub first: bool,
    pub last: bool,
    /// Rows are never taken back: no others need be kept.
    pub outermost: bool,
}

/// The number in 8 bytes.
pub fn number(bytes: &[u8]) -> i64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[..8]);
    i64::from_le_bytes(word)
}

#[derive(Debug)]
pub struct Layout {
    pub streams: Vec<Stream>,
    pub accumulators: Vec<Accumulator>,
    pub values: Vec<ValueTrace>,
    /// By call.
    pub access: Vec<Access>,
    /// The size of a record.
    pub width: usize,
    /// How many sums of floats there are.
    pub floats: usize,
}

impl Layout {
    /// The bytes of the weight.
    pub const WEIGHT: usize = 8;
    /// Where the group's number lies, if it has one.
    pub const NUMBER: usize = Layout::WEIGHT;

    pub fn new(calls: &[Call], input: &SchemaRef, append_only: bool) -> Layout {
        let distinct = calls.iter().any(|call| call.distinct);
        let width = if distinct { Self::NUMBER + 4 } else { Self::NUMBER };
        let mut layout = Layout { streams: Vec::new(), accumulators: Vec::new(), values: Vec::new(), access: Vec::new(), width, floats: 0 };
        for call in calls {
            let access = layout.access_of(call, input, append_only);
            layout.access.push(access);
        }
        layout
    }

    fn access_of(&mut self, call: &Call, input: &SchemaRef, append_only: bool) -> Access {
        let extreme = matches!(call.kind, Kind::Min | Kind::Max);
        // Which of equal values is the least does not matter.
        let distinct = (call.distinct && !extreme).then_some(call.column);
        let stream = Stream { filter: call.filter, distinct };
        match call.kind {
            Kind::CountStar if call.filter.is_none() => Access::Weight,
            Kind::CountStar => Access::Count(self.keep(stream, None, What::Count)),
            Kind::Count => Access::Count(self.keep(stream, Some(call.column), What::Count)),
            Kind::SumInteger | Kind::MeanInteger { .. } => Access::Integers {
                count: self.keep(stream, Some(call.column), What::Count),
                sum: self.keep(stream, Some(call.column), What::Integers),
            },
            Kind::SumFloat | Kind::MeanFloat => Access::Floats {
                count: self.keep(stream, Some(call.column), What::Count),
                sum: self.keep(stream, Some(call.column), What::Floats),
            },
            Kind::Min | Kind::Max if (append_only || call.lasting) && is_number(input.field(call.column).data_type()) => {
                let what = What::Extreme { greatest: call.kind == Kind::Max, replaced: !append_only };
                Access::Extreme(self.keep(stream, Some(call.column), what))
            }
            Kind::Min | Kind::Max => {
                let last = call.kind == Kind::Max;
                let known = self.values.iter().position(|v| (v.column, v.filter) == (call.column, call.filter));
                let at = known.unwrap_or_else(|| {
                    let (column, filter) = (call.column, call.filter);
                    self.values.push(ValueTrace { column, filter, first: false, last: false, outermost: append_only });
                    self.values.len() - 1
                });
                self.values[at].first |= !last;
                self.values[at].last |= last;
                Access::Values { at, last }
            }
        }
    }

    /// The place of an accumulator, the same for the same.
    fn keep(&mut self, stream: Stream, column: Option<usize>, what: What) -> usize {
        let stream = self.streams.iter().position(|s| *s == stream).unwrap_or_else(|| {
            self.streams.push(stream);
            self.streams.len() - 1
        });
        let same = |a: &Accumulator| (a.stream, a.column, a.what) == (stream, column, what);
        if let Some(known) = self.accumulators.iter().find(|a| same(a)) {
            return known.at;
        }
        let at = if what == What::Floats { self.floats } else { self.width };
        self.floats += usize::from(what == What::Floats);
        self.width += what.bytes();
        self.accumulators.push(Accumulator { stream, column, what, at });
        at
    }
}
