//! The objects of the demo: keys and bytes, packed as AWS and agents pack them, and written to a folder.

use super::moment::Moment;
use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Objects by their keys.
#[derive(Default)]
pub(super) struct Objects(pub(super) BTreeMap<String, Vec<u8>>);

/// What writing came to.
pub(super) struct Written {
    pub(super) objects: usize,
    pub(super) bytes: usize,
    /// Files that were not there, or were different.
    pub(super) changed: usize,
}

impl Objects {
    /// Adds an object as it is.
    pub(super) fn add(&mut self, key: String, bytes: impl Into<Vec<u8>>) {
        self.0.insert(key, bytes.into());
    }

    /// Adds an object in gzip.
    pub(super) fn add_gzip(&mut self, key: String, bytes: &[u8]) -> Result<()> {
        self.add(key, gzip(bytes)?);
        Ok(())
    }

    /// Makes `root` hold these objects and nothing else. Files that are right stay untouched: their times count, too.
    pub(super) fn write(&self, root: &Path) -> Result<Written> {
        let mut written = Written { objects: self.0.len(), bytes: 0, changed: 0 };
        let mut wanted = BTreeSet::new();
        for (key, bytes) in &self.0 {
            let path = root.join(key);
            written.bytes += bytes.len();
            if fs::read(&path).ok().as_deref() != Some(bytes.as_slice()) {
                let folder = path.parent().unwrap_or(root);
                fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
                fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
                written.changed += 1;
            }
            wanted.insert(path);
        }
        remove_others(root, &wanted)?;
        Ok(written)
    }
}

/// Removes what an earlier version of the demo left.
fn remove_others(folder: &Path, wanted: &BTreeSet<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
        if path.is_dir() {
            remove_others(&path, wanted)?;
            // Only an empty folder lets itself be removed.
            let _ = fs::remove_dir(&path);
        } else if !wanted.contains(&path) {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// Gzip without a time, so that the same content is the same object.
pub(super) fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::default());
    encoder.write_all(bytes).context("cannot compress")?;
    encoder.finish().context("cannot compress")
}

/// Records in any order, each with its time.
pub(super) struct Timed<T>(Vec<(Moment, T)>);

impl<T> Timed<T> {
    pub(super) const fn new() -> Self {
        Timed(Vec::new())
    }

    pub(super) fn push(&mut self, time: Moment, record: T) {
        self.0.push((time, record));
    }

    /// The records in the order of their times, by the parts of the day, of which there are `parts`.
    pub(super) fn by_part(mut self, parts: u64) -> BTreeMap<Moment, Vec<(Moment, T)>> {
        self.0.sort_by_key(|(time, _)| *time);
        let mut groups: BTreeMap<Moment, Vec<(Moment, T)>> = BTreeMap::new();
        for (time, record) in self.0 {
            groups.entry(time.part(parts)).or_default().push((time, record));
        }
        groups
    }
}

impl Timed<String> {
    /// Lines of text for each part of the day.
    pub(super) fn texts(self, parts: u64) -> impl Iterator<Item = (Moment, String)> {
        self.by_part(parts).into_iter().map(|(start, lines)| {
            let mut text = String::new();
            for (_, line) in lines {
                text.push_str(&line);
                text.push('\n');
            }
            (start, text)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_brought_to_what_it_should_be_and_then_left_alone() {
        let root = std::env::temp_dir().join(format!("weir-xtask-demo-{}", std::process::id()));
        fs::create_dir_all(root.join("old")).unwrap();
        fs::write(root.join("old/left.log"), "left").unwrap();
        let mut objects = Objects::default();
        objects.add("a/b.log".to_owned(), "line\n");
        objects.add_gzip("a/c.log.gz".to_owned(), b"line\n").unwrap();
        assert_eq!(objects.write(&root).unwrap().changed, 2);
        assert_eq!(objects.write(&root).unwrap().changed, 0);
        assert!(!root.join("old").exists());
        fs::write(root.join("a/b.log"), "changed").unwrap();
        assert_eq!(objects.write(&root).unwrap().changed, 1);
        fs::remove_dir_all(&root).unwrap();
    }
}
