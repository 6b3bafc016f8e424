//! However far the change was when it was cut short: it is done as if it had not been, and what is not decided is not done.

use std::collections::BTreeMap;

use super::*;

const OLD: [(&str, &str); 5] =
    [("CURRENT", "old"), ("000004.sst", "old"), ("000005.log", "old"), ("LOG.old.17", "old"), ("MANIFEST-000003", "old")];
const NEW: [(&str, &str); 4] = [("000004.sst", "new"), ("000009.sst", "new"), ("CURRENT", "new"), ("MANIFEST-000003", "new")];
const OTHER: [&str; 3] = ["kept", "ahead", "notes.txt"];

/// A directory with a database, another one in `restoring`, and what is of none.
fn directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let put = |folder: &Path, files: &[(&str, &str)]| files.iter().for_each(|(name, text)| fs::write(folder.join(name), text).unwrap());
    put(dir.path(), &OLD);
    fs::create_dir(dir.path().join(INCOMING)).unwrap();
    put(&dir.path().join(INCOMING), &NEW);
    OTHER.iter().for_each(|name| fs::write(dir.path().join(name), "other").unwrap());
    dir
}

fn files(folder: &Path) -> BTreeMap<String, String> {
    let names = directory::names(folder).unwrap().into_iter().filter(|name| folder.join(name).is_file());
    names.map(|name| (name.clone(), fs::read_to_string(folder.join(name)).unwrap_or_default())).collect()
}

fn of(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    files.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect()
}

#[track_caller]
fn assert_done(dir: &Path) {
    let mut here = of(&NEW);
    here.extend(OTHER.map(|name| (name.to_string(), "other".to_string())));
    assert_eq!(files(dir), here);
    assert_eq!(files(&dir.join("replaced-1")), of(&OLD));
    assert!(!dir.join(INCOMING).exists() && !go_on(dir).unwrap());
}

#[test]
fn it_is_carried_out_wherever_it_was_cut_short() {
    for moved in 0..=OLD.len() {
        let dir = directory();
        decide(dir.path(), "replaced-1").unwrap();
        fs::create_dir(dir.path().join("replaced-1")).unwrap();
        for (name, _) in &OLD[..moved] {
            fs::rename(dir.path().join(name), dir.path().join("replaced-1").join(name)).unwrap();
        }
        finish(dir.path()).unwrap();
        assert_done(dir.path());
    }
    for moved in 0..=NEW.len() {
        let dir = directory();
        decide(dir.path(), "replaced-1").unwrap();
        assert!(go_on(dir.path()).unwrap());
        assert!(!dir.path().join("CURRENT").exists(), "between the two there is none that an older floe could take for whole");
        for (name, _) in &NEW[..moved] {
            fs::rename(dir.path().join(INCOMING).join(name), dir.path().join(name)).unwrap();
        }
        if moved == NEW.len() {
            fs::remove_dir(dir.path().join(INCOMING)).unwrap();
        }
        finish(dir.path()).unwrap();
        assert_done(dir.path());
    }
}

#[test]
fn what_is_not_decided_is_not_done() {
    let dir = directory();
    fs::write(dir.path().join(format!("{DECISION}.new")), "half").unwrap();
    finish(dir.path()).unwrap();
    clear_leftovers(dir.path()).unwrap();
    let mut here = of(&OLD);
    here.extend(OTHER.map(|name| (name.to_string(), "other".to_string())));
    assert_eq!(files(dir.path()), here);
    assert!(!dir.path().join(INCOMING).exists());
}

#[test]
fn a_strange_decision_is_refused() {
    let dir = directory();
    fs::write(dir.path().join(DECISION), "scribble").unwrap();
    assert!(matches!(finish(dir.path()), Err(StateError::Corrupted { .. })));
    assert_eq!(fs::read_to_string(dir.path().join("CURRENT")).unwrap(), "old");
}
