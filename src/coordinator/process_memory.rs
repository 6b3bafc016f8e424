//! What the process takes of the machine's memory, as the kernel counts it.

/// Bytes that are there; `None` where nobody tells (it is Linux that does).
pub fn resident() -> Option<usize> {
    resident_in(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn resident_in(status: &str) -> Option<usize> {
    let size = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    size.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_read() {
        assert_eq!(resident_in("Name:\tfloe\nVmHWM:\t  999 kB\nVmRSS:\t   52480 kB\nRssAnon:\t 1 kB\n"), Some(52480 << 10));
        assert_eq!(resident_in("Name:\tfloe\n"), None);
        assert_eq!(resident_in("VmRSS:\t12 pages\n"), None);
        if cfg!(target_os = "linux") {
            assert!(resident().is_some_and(|bytes| bytes > 1 << 20));
        }
    }
}
