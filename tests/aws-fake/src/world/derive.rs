//! Ids that depend on what they name and on the seed, never on the order of requests.

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A digest of the seed and of parts.
fn digest(seed: u64, parts: &[&str]) -> blake3::OutputReader {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize_xof()
}

/// An id of a prefix and `length` characters of A-Z and 2-7, as IAM's unique ids are.
pub(crate) fn derive_id(prefix: &str, length: usize, seed: u64, parts: &[&str]) -> String {
    format!("{prefix}{}", base32(length, seed, parts))
}

/// Characters of A-Z and 2-7.
pub(crate) fn base32(length: usize, seed: u64, parts: &[&str]) -> String {
    let mut bytes = vec![0_u8; length];
    digest(seed, parts).fill(&mut bytes);
    bytes.iter().filter_map(|byte| BASE32.get(usize::from(byte & 31))).map(|byte| char::from(*byte)).collect()
}

/// Lowercase hexadecimal digits.
pub(crate) fn hexadecimal(length: usize, seed: u64, parts: &[&str]) -> String {
    let mut bytes = vec![0_u8; length];
    digest(seed, parts).fill(&mut bytes);
    bytes.iter().filter_map(|byte| char::from_digit(u32::from(byte & 15), 16)).collect()
}

/// The MD5 of bytes as hexadecimal digits: entity tags, and digests of messages.
pub(crate) fn md5(bytes: &[u8]) -> String {
    use md5::{Digest as _, Md5};
    let digits = |byte: u8| {
        [byte >> 4, byte & 15].into_iter().filter_map(|digit| char::from_digit(u32::from(digit), 16))
    };
    Md5::digest(bytes).into_iter().flat_map(digits).collect()
}
