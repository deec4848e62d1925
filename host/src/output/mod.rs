//! Where events go.

pub mod archive;
pub mod documents;
pub mod embedded;
