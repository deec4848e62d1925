//! The oracles. Each takes the bytes that a fuzzer made up; where an oracle needs to choose between settings, the first
//! bytes choose, and the rest is the content.

pub(crate) mod contract;
pub(crate) mod decompression;
pub(crate) mod framing;
pub(crate) mod json_scan;
pub(crate) mod key;
pub(crate) mod parquet_rows;
pub(crate) mod parsers;
pub(crate) mod query;
mod reading;
mod tree;
pub(crate) mod wrappers;

/// Takes `N` bytes off the front; those that are missing are 0.
fn choices<const N: usize>(data: &[u8]) -> ([u8; N], &[u8]) {
    let mut taken = [0; N];
    let (front, rest) = data.split_at(data.len().min(N));
    taken[..front.len()].copy_from_slice(front);
    (taken, rest)
}
