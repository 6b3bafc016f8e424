//! Writers of one database do not lose each other's writes.

use super::*;

/// Sinks, the journal and checkpoints write at once, ranges and single keys of one family in one batch. What one writer
/// took away must never be there again, and what it put must be.
#[test]
fn writers_beside_each_other_lose_nothing() {
    const ROUNDS: u32 = 400;
    let folder = tempfile::tempdir().unwrap();
    let store = Rocks::open(&folder.path().join("data"), usize::MAX).unwrap();
    let family = Family::Staged;
    std::thread::scope(|scope| {
        for writer in 0..6u8 {
            let store = &store;
            scope.spawn(move || {
                let key = |round: u32| [&[writer][..], &round.to_be_bytes()].concat();
                let mark = vec![writer, 0xff, 0xff, 0xff, 0xff];
                for round in 1..=ROUNDS {
                    store.write(&mut [Ok(Write::Put { family, key: key(round), value: vec![1] })].into_iter(), false).unwrap();
                    store.write(&mut [Ok(Write::Put { family, key: mark.clone(), value: vec![2] })].into_iter(), true).unwrap();
                    store
                        .write(
                            &mut [
                                Ok(Write::DeleteRange { family, from: key(0), to: Some(key(round + 1)) }),
                                Ok(Write::Delete { family, key: mark.clone() }),
                            ]
                            .into_iter(),
                            true,
                        )
                        .unwrap();
                    let mut left = Vec::new();
                    store
                        .scan(family, &[writer], &mut |key, _| {
                            left.push(key.to_vec());
                            Ok(ControlFlow::Continue(()))
                        })
                        .unwrap();
                    assert_eq!(left, Vec::<Vec<u8>>::new(), "writer {writer}, round {round}");
                }
            });
        }
    });
}
