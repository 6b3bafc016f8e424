//! The rows of an arrangement between the one thread that changes them and the readers that look rows up in an earlier view.
//!
//! A change is made in short steps, and the rows are whole between any two of them: whoever looks up a row of an earlier view
//! finds it there. So the lock is held for a step, and a reader that waits gets it before the next one.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};

use super::rows::Rows;

pub struct Shared {
    rows: Mutex<Rows>,
    /// Readers that wait for the lock.
    waiting: AtomicUsize,
}

/// How long a reader looks for the lock before it sleeps, and how long the one that changes leaves it alone: more than either
/// needs when both have a core.
const READER_TURNS: usize = 4000;
const WRITER_TURNS: usize = 1000;

impl Shared {
    pub fn new(rows: Rows) -> Shared {
        Shared { rows: Mutex::new(rows), waiting: AtomicUsize::new(0) }
    }

    /// For one step of a change.
    pub fn lock(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().expect("no thread panics while it holds an arrangement")
    }

    /// For a look-up. To sleep until the lock is free takes longer than a step does.
    pub fn read(&self) -> MutexGuard<'_, Rows> {
        if let Ok(rows) = self.rows.try_lock() {
            return rows;
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let free = (0..READER_TURNS).find_map(|_| {
            spin_loop();
            match self.rows.try_lock() {
                Err(TryLockError::WouldBlock) => None,
                other => other.ok(),
            }
        });
        let rows = free.unwrap_or_else(|| self.lock());
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        rows
    }

    /// Between two steps: lets readers have the lock that wait for it.
    pub fn give_way(&self) {
        let mut turns = 0;
        while turns < WRITER_TURNS && self.waiting.load(Ordering::Relaxed) > 0 {
            spin_loop();
            turns += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::sync::{Arc, Mutex};
    use std::thread;

    use arrow::array::{ArrayRef, AsArray, Int64Array};
    use arrow::datatypes::Int64Type;
    use rand::rngs::SmallRng;
    use rand::{Rng, SeedableRng};

    use crate::state::{ArrangementSnapshot, Find, Store, TraceSet, Writes};
    use crate::types::{ObjectId, TraceId};
    use crate::zset::text::parse;

    const KEYS: i64 = 4000;

    /// In which epoch up to that one a row of the key came last. Some keys are there only at times.
    fn value(key: i64, epoch: i64) -> Option<i64> {
        let period = 2 + key % 7;
        let changed = epoch - (epoch + key).rem_euclid(period);
        (changed >= 0 && (key % 5 != 0 || changed % 2 == 0)).then_some(changed)
    }

    /// One thread changes the rows, as fast as it can, and others look up keys in the views that it has published.
    fn look_ups_beside_changes(evict: bool) {
        let traces = TraceSet::within(Arc::new(Store::memory()), if evict { 1 } else { usize::MAX });
        let schema = parse("k int8, v int8", "").schema();
        let rows = traces.arrangement(TraceId::new(ObjectId(1), 0), schema, &[0], Find::ByKey).unwrap();
        let published: Mutex<(i64, ArrangementSnapshot)> = Mutex::new((-1, rows.snapshot()));
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let readers: Vec<_> = (0..3u64)
                .map(|seed| {
                    let (published, over) = (&published, &over);
                    scope.spawn(move || {
                        let mut random = SmallRng::seed_from_u64(seed);
                        let mut asked = 0u64;
                        while !over.load(super::Ordering::Relaxed) {
                            let (epoch, view) = published.lock().unwrap().clone();
                            // One view is held for a while: changes go on under it.
                            for _ in 0..random.random_range(1..40) {
                                let keys: Vec<i64> = (0..random.random_range(1..4)).map(|_| random.random_range(0..KEYS)).collect();
                                let probes: ArrayRef = Arc::new(Int64Array::from(keys.clone()));
                                let found = view.lookup(&[probes], keys.len()).unwrap();
                                let (k, v) =
                                    (found.rows.column(0).as_primitive::<Int64Type>(), found.rows.column(1).as_primitive::<Int64Type>());
                                let found: Vec<_> = (0..found.rows.len())
                                    .map(|row| {
                                        (keys[found.probe.value(row) as usize], k.value(row), v.value(row), found.rows.weights().value(row))
                                    })
                                    .collect();
                                let expected: Vec<_> =
                                    keys.iter().filter_map(|key| value(*key, epoch).map(|value| (*key, *key, value, 1))).collect();
                                assert_eq!(found, expected, "epoch {epoch}, reader {seed}");
                                asked += 1;
                            }
                        }
                        asked
                    })
                })
                .collect();
            for epoch in 0..60 {
                let changes = (0..KEYS).filter(|key| value(*key, epoch) != value(*key, epoch - 1)).flat_map(|key| {
                    let line = |value: Option<i64>, weight: &str| value.map(|value| format!("{key} {value} {weight}\n"));
                    [line(value(key, epoch - 1), "-1"), line(value(key, epoch), "+1")].into_iter().flatten()
                });
                rows.insert_distinct(&parse("k int8, v int8", &changes.collect::<String>())).unwrap();
                *published.lock().unwrap() = (epoch, rows.snapshot());
                if epoch % 5 == 0 {
                    let mut writes = Writes::new();
                    traces.dirty(&mut writes).unwrap();
                    traces.store().write(writes, false).unwrap();
                    if evict {
                        traces.evict_down_to(0).unwrap();
                    }
                }
            }
            over.store(true, super::Ordering::Relaxed);
            for reader in readers {
                assert!(reader.join().unwrap() > 0);
            }
        });
    }

    #[test]
    fn a_look_up_finds_what_its_view_has_while_rows_change() {
        look_ups_beside_changes(false);
        look_ups_beside_changes(true);
    }
}
