//! From an object's bytes to frames: decompression, unwrapping, framing.

pub mod decompress;
pub mod frame;
pub mod source;
pub mod stream;
pub mod unwrap;
