//! One processing of an object at a time.
//!
//! The same bytes under two paths that give the same key (`weir ingest a b` with a file of the same name in both) are
//! one object. Processed twice at once, each would delete the other's documents and count them as its own.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The objects that are being processed, or wait for the commit of their group.
#[derive(Debug, Default)]
pub(super) struct Claims(Arc<Mutex<HashSet<[u8; 16]>>>);

/// Nobody else takes the object up until this is dropped.
#[derive(Debug)]
#[must_use = "the object is free again when this is dropped"]
pub struct Claim {
    object: [u8; 16],
    taken: Arc<Mutex<HashSet<[u8; 16]>>>,
}

impl Claims {
    /// `None` when the object is taken.
    pub(super) fn claim(&self, object: [u8; 16]) -> Option<Claim> {
        let free = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(object);
        free.then(|| Claim { object, taken: self.0.clone() })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.object);
    }
}
