//! The rendered files, and how they come into a folder.

use super::RenderError;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io;
use std::path::{Component, Path};

/// The list of what was written, so that the next run takes away what it no longer writes: an old script must not lie
/// beside new ones.
const MANIFEST: &str = "rendered.json";

/// What was rendered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rendered {
    /// Sorted by path once all are there.
    pub files: Vec<RenderedFile>,
    /// What a person has to know or do, one sentence each.
    pub notes: Vec<String>,
    /// Accounts or buckets are left out, as the plan refuses them or no tool takes a document; the notes say which.
    pub is_partial: bool,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedFile {
    /// Relative, with `/`.
    pub path: String,
    pub text: String,
    pub executable: bool,
}

impl Rendered {
    pub(super) fn add(&mut self, path: impl Into<String>, text: impl Into<String>) {
        self.files.push(RenderedFile { path: path.into(), text: text.into(), executable: false });
    }

    pub(super) fn add_script(&mut self, path: impl Into<String>, text: impl Into<String>) {
        self.files.push(RenderedFile { path: path.into(), text: text.into(), executable: true });
    }

    /// JSON with an element in a line.
    pub(super) fn add_json(&mut self, path: impl Into<String>, value: &Value) {
        self.add(path, format!("{value:#}\n"));
    }

    /// Writes everything under `folder`, and takes away what an earlier run wrote there and this one does not.
    ///
    /// # Errors
    /// When the folder holds files of others, or cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), RenderError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source: io::Error| RenderError::Write { path, source }
        };
        std::fs::create_dir_all(folder).map_err(at(folder))?;
        let manifest = folder.join(MANIFEST);
        let earlier: BTreeSet<String> = match std::fs::read_to_string(&manifest) {
            Ok(text) => serde_json::from_str(&text)
                .map_err(|source| RenderError::Manifest { path: manifest.clone(), source })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if std::fs::read_dir(folder).map_err(at(folder))?.next().is_some() {
                    return Err(RenderError::Occupied { path: folder.to_owned() });
                }
                BTreeSet::new()
            }
            Err(source) => return Err(RenderError::Write { path: manifest, source }),
        };
        let now: BTreeSet<&str> = self.files.iter().map(|file| file.path.as_str()).collect();
        for stale in earlier.iter().filter(|path| !now.contains(path.as_str()) && is_inside(path)) {
            let path = folder.join(stale);
            match std::fs::remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(RenderError::Write { path, source });
                }
                _ => {}
            }
        }
        // First the list: a run that is cut off leaves no file that the next does not know.
        let all: BTreeSet<&str> = earlier.iter().map(String::as_str).chain(now.iter().copied()).collect();
        write_list(&manifest, &all).map_err(at(&manifest))?;
        for file in &self.files {
            let path = folder.join(&file.path);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).map_err(at(parent))?;
            }
            std::fs::write(&path, &file.text).map_err(at(&path))?;
            set_mode(&path, file.executable).map_err(at(&path))?;
        }
        write_list(&manifest, &now).map_err(at(&manifest))
    }
}

fn write_list(path: &Path, files: &BTreeSet<&str>) -> io::Result<()> {
    let list = Value::from(files.iter().copied().collect::<Vec<_>>());
    std::fs::write(path, format!("{list:#}\n"))
}

/// A list that somebody edited must not lead out of the folder.
fn is_inside(path: &str) -> bool {
    Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(unix)]
fn set_mode(path: &Path, executable: bool) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = if executable { 0o755 } else { 0o644 };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: bool) -> io::Result<()> {
    Ok(())
}
