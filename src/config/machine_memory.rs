//! How much memory there is for this process: the machine's, or less where a container says so.

use std::fs;
use std::path::{Path, PathBuf};

/// Bytes; `None` where nobody says.
pub fn machine_memory() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    let group = fs::read_to_string("/proc/self/cgroup").ok().and_then(|text| group_of(&text));
    let limits = group.into_iter().flat_map(|group| limits_of(Path::new("/sys/fs/cgroup"), &group));
    limits.chain(machine).min()
}

/// Of /proc/meminfo.
fn total(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Of /proc/self/cgroup: the process's group in the one hierarchy of version 2.
fn group_of(text: &str) -> Option<PathBuf> {
    text.lines().find_map(|line| line.strip_prefix("0::/")).map(PathBuf::from)
}

/// What the group and those above it may take; "max" is no limit.
fn limits_of(root: &Path, group: &Path) -> Vec<u64> {
    let files = group.ancestors().map(|group| root.join(group).join("memory.max"));
    files.filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_of_all_limits_counts() {
        assert_eq!(total("MemFree: 1 kB\nMemTotal:       16384 kB\n"), Some(16 << 20));
        assert_eq!(total("MemTotal: lots\n"), None);
        assert_eq!(group_of("1:cpu:/x\n0::/system/floe\n"), Some(PathBuf::from("system/floe")));
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("system/floe")).unwrap();
        fs::write(root.path().join("system/memory.max"), "1048576\n").unwrap();
        fs::write(root.path().join("system/floe/memory.max"), "max\n").unwrap();
        assert_eq!(limits_of(root.path(), Path::new("system/floe")), [1 << 20]);
        assert!(machine_memory().is_some_and(|bytes| bytes > 64 << 20));
    }
}
