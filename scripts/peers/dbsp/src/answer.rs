//! The answer's place: its rows are counted and dropped, as by a sink that discards.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use dbsp::trace::{BatchReader as _, Cursor as _};
use dbsp::{IndexedZSetReader, RootCircuit, Stream};

/// How many rows the answer has, all workers' together.
#[derive(Clone, Default)]
pub struct Answer(Arc<AtomicI64>);

impl Answer {
    /// Takes the changes of the answer: rows that come count one each, rows that go minus one.
    pub fn take<B: IndexedZSetReader + Clone>(&self, changes: &Stream<RootCircuit, B>) {
        let rows = self.0.clone();
        changes.inspect(move |batch| {
            let (mut change, mut cursor) = (0, batch.inner().cursor());
            while cursor.key_valid() {
                while cursor.val_valid() {
                    change += **cursor.weight();
                    cursor.step_val();
                }
                cursor.step_key();
            }
            rows.fetch_add(change, Ordering::Relaxed);
        });
    }

    pub fn rows(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}
