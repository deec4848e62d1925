//! From bytes to frames, as `weir::ingest` without its local files.

#[path = "../../../../host/src/ingest/decompress/mod.rs"]
pub mod decompress;
#[path = "../../../../host/src/ingest/frame/mod.rs"]
pub mod frame;
#[path = "../../../../host/src/ingest/stream/mod.rs"]
pub mod stream;
#[path = "../../../../host/src/ingest/unwrap/mod.rs"]
pub mod unwrap;
