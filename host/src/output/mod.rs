//! Where events go.

pub mod documents;
