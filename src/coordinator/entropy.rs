//! The one place that draws random bytes: secrets that must not be guessed, never anything that a result depends on.

use rand::RngCore;

/// Unpredictable bytes from the operating system's seed.
pub fn secret<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}
