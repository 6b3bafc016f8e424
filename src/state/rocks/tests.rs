//! Writers of one database do not lose each other's writes, and files whose link failed are found again.

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

/// Parts that become that many sorted files.
fn laid_down(dir: &Path, files: u32) {
    let store = Rocks::open(dir, usize::MAX).unwrap();
    store
        .take_in(Family::Blob, &mut |put| (0..files * 17).try_for_each(|part| put(&part.to_be_bytes(), &vec![part as u8; 4 << 20])))
        .unwrap();
}

fn sorted_files_in(dir: &Path) -> Vec<std::path::PathBuf> {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|end| end == "sst")).collect();
    paths.sort();
    paths
}

/// As a list of files that could not be synced leaves it: they are named, and lie beside the database.
#[test]
fn files_whose_link_failed_are_linked_at_the_next_start() {
    for files in [1, 3] {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("data");
        laid_down(&dir, files);
        let missed = sorted_files_in(&dir);
        assert_eq!(missed.len(), files as usize);
        for (number, path) in missed.iter().enumerate() {
            fs::rename(path, dir.join(AHEAD).join(format!("{number}.sst"))).unwrap();
        }
        let store = Rocks::open(&dir, usize::MAX).unwrap();
        for part in 0..files * 17 {
            let found = store.get_many(Family::Blob, &[&part.to_be_bytes()]).unwrap();
            assert!(found == [Some(vec![part as u8; 4 << 20])], "part {part} of {files} files");
        }
        assert_eq!(fs::read_dir(dir.join(AHEAD)).unwrap().count(), 0);
    }
}

/// Files that are missing for another reason are told, and nothing that lies beside the database takes their places.
#[test]
fn other_missing_files_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("data");
    laid_down(&dir, 1);
    fs::remove_file(&sorted_files_in(&dir)[0]).unwrap();
    for beside in [false, true] {
        if beside {
            fs::write(dir.join(AHEAD).join("0.sst"), [7; 100]).unwrap();
        }
        let Err(StateError::Corrupted { detail }) = Rocks::open(&dir, usize::MAX) else { panic!("a missing file is an error") };
        assert!(detail.contains("No such file or directory"), "{detail}");
        assert!(sorted_files_in(&dir).is_empty());
    }
}
