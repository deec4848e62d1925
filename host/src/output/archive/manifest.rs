//! Which files of a partition count.
//!
//! A joined file counts once the manifest names it; from then on the files it was joined from (its parts) count no
//! more. The manifest is replaced in one step, so that rows are never lost and never count twice, wherever a process
//! is killed. Parts keep their names: the ledger's records go on naming them, and removing one removes its rows from
//! the joined file.

use super::ArchiveError;
use crate::ledger::{ObjectId, Staging, place, replace};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::Path;

/// In the partition's folder. Athena, Hive and Spark do not read files whose name begins so.
const NAME: &str = "_manifest.json";
/// How the names of joined files begin.
pub(super) const JOINED: &str = "joined-";

/// The joined files of one partition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub version: u32,
    pub files: Vec<JoinedFile>,
}

/// A file with the rows of several, laid end to end in the order of `parts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinedFile {
    /// Its name in the folder.
    pub file: String,
    pub parts: Vec<Part>,
}

/// A file whose rows are now in a joined one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its name in the folder, as the object's record names it.
    pub file: String,
    pub object: ObjectId,
    pub rows: u64,
}

impl Manifest {
    /// The manifest of a partition's folder; an empty one when nothing was ever joined there.
    pub fn read(root: &Path, folder: &str) -> Result<Self, ArchiveError> {
        let path = place(root, &format!("{folder}/{NAME}"))?;
        match fs::read(&path) {
            Ok(text) => {
                serde_json::from_slice(&text).map_err(|source| ArchiveError::Manifest { path, source })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(ArchiveError::Folder { path, source }),
        }
    }

    /// Makes this the partition's manifest, in one step.
    pub(super) fn store(&self, staging: &Staging, folder: &str) -> Result<(), ArchiveError> {
        // A manifest has no value that JSON could not hold.
        let text = serde_json::to_vec_pretty(&Self { version: 1, files: self.files.clone() });
        let file = format!("{folder}/{NAME}");
        match text {
            Ok(text) => Ok(replace(staging, &file, &text)?),
            Err(source) => Err(ArchiveError::Manifest { path: staging.root().join(file), source }),
        }
    }

    /// Whether `file` is one of the joined files.
    pub(super) fn names(&self, file: &str) -> bool {
        self.files.iter().any(|joined| joined.file == file)
    }

    /// Whether the rows of `file` are in a joined file.
    pub(super) fn holds(&self, file: &str) -> bool {
        self.files.iter().any(|joined| joined.parts.iter().any(|part| part.file == file))
    }
}
