//! With little memory, what is freed goes back to the system soon.
//!
//! The allocator of the C library (glibc, mallopt(3)) keeps what is freed for the thread that may want it again: with a dozen
//! threads that is a hundred megabytes and more. Giving pieces of some hundred kilobytes back at once costs page faults, so it is
//! done where a hundred megabytes are much.
#![allow(unsafe_code)]

/// Less memory than that is little.
const LITTLE: u64 = 1 << 30;

/// For a process that may take so many bytes. To be called before it has threads.
pub fn suit(memory: u64) {
    if memory < LITTLE {
        give_back_soon();
    }
}

#[cfg(target_env = "gnu")]
fn give_back_soon() {
    for (what, value) in [(libc::M_ARENA_MAX, 4), (libc::M_MMAP_THRESHOLD, 256 << 10), (libc::M_TRIM_THRESHOLD, 1 << 20)] {
        // SAFETY: takes two numbers, and changes settings of the allocator under its own lock. One that is refused stays what it was.
        unsafe { libc::mallopt(what, value) };
    }
}

#[cfg(not(target_env = "gnu"))]
fn give_back_soon() {}
