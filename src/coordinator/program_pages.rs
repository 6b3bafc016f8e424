//! The program's own file leaves memory when something was planned, and where memory is scarce. What of it is in use comes back.
//!
//! The kernel counts what was ever run or read of the program's file as the process's memory: planning runs far more code than the
//! epochs do, and seldom; it is half of that. Such pages are clean, so the kernel would take them away before it runs out of memory;
//! but who watches what a process takes counts them, and so does `--memory`. To let go of them costs a fault for some pages that are
//! used again, which the kernel still has.
#![allow(unsafe_code)]

use std::ops::Range;
use std::time::{Duration, Instant};

/// How long it is between two times at least.
const PAUSE: Duration = Duration::from_secs(1);

pub struct ProgramPages {
    /// Where the program's file is mapped and nobody writes.
    mapped: Vec<Range<usize>>,
    left: Option<Instant>,
}

impl ProgramPages {
    /// To be made while the process has little: the kernel looks at all of its memory to say where the file is.
    pub fn new() -> ProgramPages {
        ProgramPages { mapped: mapped(), left: None }
    }

    /// Something was planned: much of what ran for that will not run soon again.
    pub fn planned(&mut self) {
        self.left = None;
    }

    /// Lets what was planned with leave memory, once.
    pub fn settle(&mut self) {
        if self.left.is_none() {
            self.leave();
        }
    }

    /// Lets all of the file leave memory, unless it did lately.
    pub fn leave(&mut self) {
        if self.left.is_some_and(|at| at.elapsed() < PAUSE) {
            return;
        }
        self.left = Some(Instant::now());
        self.mapped.iter().for_each(let_go);
    }
}

fn mapped() -> Vec<Range<usize>> {
    let file = std::fs::read_link("/proc/self/exe").ok();
    match (file.as_deref().and_then(std::path::Path::to_str), std::fs::read_to_string("/proc/self/smaps")) {
        (Some(file), Ok(maps)) => unwritten(file, &maps),
        _ => Vec::new(),
    }
}

/// What those maps, in the form of /proc/self/smaps (proc_pid_smaps(5)), have of the file that nobody can write to and nobody has:
/// what the loader put right in a place before it was protected is not the file's any more.
fn unwritten(file: &str, maps: &str) -> Vec<Range<usize>> {
    let (mut found, mut last) = (Vec::new(), None);
    for line in maps.lines() {
        let mut words = line.split_ascii_whitespace();
        match (words.next(), words.next()) {
            (Some("Anonymous:"), Some("0")) => found.extend(last.take()),
            (Some(place), Some(rights)) if !place.ends_with(':') => {
                let is_it = matches!(rights, "r--p" | "r-xp") && words.nth(3) == Some(file) && words.next().is_none();
                last = range(place).filter(|_| is_it);
            }
            _ => {}
        }
    }
    found
}

fn range(place: &str) -> Option<Range<usize>> {
    let (from, to) = place.split_once('-')?;
    let at = |hexadecimal| usize::from_str_radix(hexadecimal, 16).ok();
    Some(at(from)?..at(to)?)
}

#[cfg(target_os = "linux")]
fn let_go(mapped: &Range<usize>) {
    // SAFETY: the range is mapped for as long as the process is there, privately and from a file, and no page of it was ever written.
    // So whatever is read or run there afterwards comes from the file again, and is the same. A failure changes nothing.
    unsafe { libc::madvise(mapped.start as *mut libc::c_void, mapped.len(), libc::MADV_DONTNEED) };
}

#[cfg(not(target_os = "linux"))]
fn let_go(_mapped: &Range<usize>) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_as_in_that_file_is_meant() {
        let map = |place: &str, rights: &str, file: &str, written: usize| {
            format!("{place} {rights} 00000000 fe:00 12   {file}\nSize: 4 kB\nRss: 4 kB\nAnonymous: {written} kB\nVmFlags: rd mr\n")
        };
        let maps = [
            map("1000-2000", "r--p", "/usr/bin/floe", 0),
            map("2000-5000", "r-xp", "/usr/bin/floe", 0),
            map("5000-6000", "r--p", "/usr/bin/floe", 4),
            map("6000-7000", "rw-p", "/usr/bin/floe", 0),
            map("7000-8000", "r-xp", "/usr/lib/libc.so.6", 0),
            map("8000-9000", "r-xp", "/opt/usr/bin/floe", 0),
            map("9000-a000", "r-xp", "/usr/bin/floe (deleted)", 0),
            map("a000-b000", "r-xp", "", 0),
        ];
        let meant: [Range<usize>; 2] = [0x1000..0x2000, 0x2000..0x5000];
        assert_eq!(unwritten("/usr/bin/floe", &maps.concat()), meant);
        assert!(unwritten("/usr/bin/other", &maps.concat()).is_empty());
        let nonsense = "nonsense\n\n1-2\nx-y r-xp 0 0 0 /usr/bin/floe\nAnonymous: 0 kB\n";
        assert!(unwritten("/usr/bin/floe", nonsense).is_empty());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_program_runs_on() {
        let mut pages = ProgramPages::new();
        pages.leave();
        let mapped = pages.mapped;
        assert!(mapped.iter().map(Range::len).sum::<usize>() > 1 << 20);
        assert!(mapped.iter().any(|range| range.contains(&(unwritten as *const () as usize))));
    }
}
