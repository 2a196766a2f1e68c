//! Names and passwords that nobody else has.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};

/// `prefix_1a2b3c4d_7`: another one at each call, in each process.
pub fn unique(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    format!(
        "{prefix}_{}_{}",
        random_hex(4),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

/// `bytes` random bytes, as twice as many characters.
pub(crate) fn random_hex(bytes: usize) -> String {
    let mut random = vec![0; bytes];
    // Without randomness names stay unique by their count, and a test's passwords need no more.
    let _ = openssl::rand::rand_bytes(&mut random);
    random.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
