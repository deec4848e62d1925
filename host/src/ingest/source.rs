//! Local files as objects: which files there are, and what their keys are.
//!
//! The path under the source's root is the key. A file inside a configured source belongs to that source, however it
//! is named on the command line, so that it is the same object each time. Elsewhere a folder given is the root (the
//! outermost one, where they lie in one another), and of a single file the path as given is the key; a path that runs
//! through `AWSLogs` has its key from there, as AWS
//! delivers it.

use crate::config::Config;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

/// The bucket's name of files that belong to no configured source.
pub const LOCAL_BUCKET: &str = "local";

/// A local file as an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LocalObject {
    pub bucket: String,
    pub key: String,
    pub path: PathBuf,
}

/// What there is to read.
#[derive(Debug, Default)]
pub struct Listing {
    /// Sorted, each file once.
    pub objects: Vec<LocalObject>,
    /// Files and folders below the paths that cannot be read, and so may hide objects.
    pub unreadable: Vec<SourceError>,
}

/// Why files cannot be listed.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}; check that it exists and may be read")]
pub struct SourceError {
    pub path: PathBuf,
    #[source]
    pub source: io::Error,
}

/// Every file at or below the paths. What is neither file nor folder (sockets, devices) is passed over, what vanishes
/// meanwhile (logs rotate) is not there, and `without` names folders that are not looked into: the program's own.
///
/// # Errors
/// When a path given cannot be read.
pub fn list(config: &Config, paths: &[PathBuf], without: &[PathBuf]) -> Result<Listing, SourceError> {
    let without: Vec<PathBuf> = without.iter().filter_map(|folder| fs::canonicalize(folder).ok()).collect();
    let sources: Vec<(String, PathBuf)> = config
        .sources
        .iter()
        .filter_map(|source| {
            Some((source.name.clone(), fs::canonicalize(config.resolve(&source.path)).ok()?))
        })
        .collect();
    // Whoever names a folder and also what lies in it means the same objects, not each twice under two keys.
    let folders: Vec<PathBuf> =
        paths.iter().filter_map(|path| fs::canonicalize(path).ok()).filter(|path| path.is_dir()).collect();
    let mut walk = Walk { without: &without, found: Listing::default() };
    for path in paths {
        let fail = |source| SourceError { path: path.clone(), source };
        let real = fs::canonicalize(path).map_err(fail)?;
        let owner = sources
            .iter()
            .filter(|(_, root)| real.starts_with(root))
            .max_by_key(|(_, root)| root.components().count());
        let (bucket, root) = if let Some((name, root)) = owner {
            (name.clone(), Root::Folder(root.clone()))
        } else {
            let around = folders.iter().filter(|folder| real.starts_with(folder));
            let outermost = around.min_by_key(|folder| folder.components().count());
            let root =
                outermost.map_or_else(|| Root::AsGiven(path.clone()), |root| Root::Folder(root.clone()));
            (LOCAL_BUCKET.to_owned(), root)
        };
        walk.visit(&real, &bucket, &root);
    }
    let mut found = walk.found;
    found.objects.sort();
    found.objects.dedup();
    Ok(found)
}

enum Root {
    Folder(PathBuf),
    /// A single file: the path on the command line.
    AsGiven(PathBuf),
}

struct Walk<'a> {
    without: &'a [PathBuf],
    found: Listing,
}

impl Walk<'_> {
    fn visit(&mut self, path: &Path, bucket: &str, root: &Root) {
        match self.look(path, bucket, root) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                self.found.unreadable.push(SourceError { path: path.to_owned(), source });
            }
            _ => {}
        }
    }

    fn look(&mut self, path: &Path, bucket: &str, root: &Root) -> io::Result<()> {
        let metadata = fs::metadata(path)?;
        if metadata.is_dir() {
            if self.without.iter().any(|folder| folder == path) {
                return Ok(());
            }
            let mut entries: Vec<PathBuf> = Vec::new();
            for entry in fs::read_dir(path)? {
                let entry = entry?;
                // A link could lead round in a circle, or out of the source.
                if !entry.file_type()?.is_symlink() {
                    entries.push(entry.path());
                }
            }
            entries.sort();
            entries.iter().for_each(|entry| self.visit(entry, bucket, root));
        } else if metadata.is_file() {
            let key = match root {
                Root::Folder(root) => path.strip_prefix(root).unwrap_or(path),
                Root::AsGiven(given) => given,
            };
            self.found.objects.push(LocalObject {
                bucket: bucket.to_owned(),
                key: key_of(key, root),
                path: path.to_owned(),
            });
        }
        Ok(())
    }
}

/// A path as a key: `/` between its names, from `AWSLogs` on where the path as given ran through it.
fn key_of(path: &Path, root: &Root) -> String {
    let names = |path: &Path| -> Vec<String> {
        path.components()
            .filter_map(|part| match part {
                Component::Normal(name) => Some(text_of(name)),
                _ => None,
            })
            .collect()
    };
    let mut parts = names(path);
    let from_delivery = |parts: &[String]| parts.iter().rposition(|name| name == "AWSLogs");
    match root {
        Root::AsGiven(_) => {
            if let Some(at) = from_delivery(&parts) {
                parts.drain(..at);
            }
        }
        Root::Folder(root) => {
            // `weir ingest …/AWSLogs/111122223333` means the same keys as `weir ingest …`.
            let outer = names(root);
            if let Some(at) = from_delivery(&outer) {
                parts.splice(..0, outer.get(at..).unwrap_or_default().iter().cloned());
            }
        }
    }
    parts.join("/")
}

/// A name as text. Bytes that are not UTF-8 are written `%FF`, so that different names stay different keys.
fn text_of(name: &OsStr) -> String {
    let mut text = String::new();
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("%{byte:02X}")));
    }
    text
}

/// BLAKE3 of a file's content from where it stands, in hexadecimal: a complete local file's version.
///
/// # Errors
/// When the file cannot be read.
pub fn content_version(mut file: impl Read) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finalize().to_hex().to_string()),
            Ok(count) => {
                hasher.update(buffer.get(..count).unwrap_or_default());
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// What tells that somebody wrote to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    pub length: u64,
    /// Nanoseconds since 1970.
    pub modified: i64,
}

/// A file was written to between the time it was opened and now.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} changed while it was read, so that nothing of it counts; read it again once it is whole, or set \
     `follow = true` for a source whose files grow", path.display()
)]
pub struct ChangedWhileRead {
    pub path: PathBuf,
}

impl Stamp {
    pub fn of(metadata: &fs::Metadata) -> Self {
        Stamp { length: metadata.len(), modified: modified_nanoseconds(metadata) }
    }

    /// Asks the open file whether it is as it was. (What took its path meanwhile is another file.)
    ///
    /// # Errors
    /// When it is not, or cannot be asked.
    pub fn check(self, file: &fs::File, path: &Path) -> Result<(), ChangedWhileRead> {
        match file.metadata() {
            Ok(metadata) if Stamp::of(&metadata) == self => Ok(()),
            _ => Err(ChangedWhileRead { path: path.to_owned() }),
        }
    }
}

/// A file's modification time, nanoseconds since 1970; 0 where the file system has none.
pub fn modified_nanoseconds(metadata: &fs::Metadata) -> i64 {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    since.and_then(|since| i64::try_from(since.as_nanos()).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(config: &Config, path: &Path) -> Vec<(String, String)> {
        list(config, &[path.to_owned()], &[])
            .unwrap()
            .objects
            .into_iter()
            .map(|object| (object.bucket, object.key))
            .collect()
    }

    #[test]
    fn a_file_has_the_same_key_however_it_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("logs/AWSLogs/111122223333/CloudTrail");
        fs::create_dir_all(&inner).unwrap();
        fs::write(inner.join("a.json"), "{}").unwrap();
        let text = format!("[[source]]\nname = \"demo\"\npath = {:?}\n", folder.path().join("logs"));
        let configured = Config::from_text(Path::new("weir.toml"), &text, []).unwrap();
        let plain = Config::default();
        for path in ["logs", "logs/AWSLogs", "logs/AWSLogs/111122223333/CloudTrail/a.json"] {
            let path = folder.path().join(path);
            let key = "AWSLogs/111122223333/CloudTrail/a.json".to_owned();
            assert_eq!(keys(&configured, &path), [("demo".to_owned(), key.clone())]);
            assert_eq!(keys(&plain, &path), [("local".to_owned(), key)]);
        }
        assert!(list(&plain, &[folder.path().join("none")], &[]).is_err());
    }

    #[test]
    fn a_file_is_one_object_however_many_paths_lead_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("logs/web");
        fs::create_dir_all(&inner).unwrap();
        fs::write(inner.join("access.log"), "x").unwrap();
        let paths = ["logs/web/access.log", "logs/web", "logs", "logs/../logs"];
        let found =
            list(&Config::default(), &paths.map(|path| folder.path().join(path)), &[]).unwrap().objects;
        let keys: Vec<&str> = found.iter().map(|object| object.key.as_str()).collect();
        assert_eq!(keys, ["web/access.log"]);
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_no_text_stay_different_keys() {
        use std::os::unix::ffi::OsStrExt;
        let name = |bytes: &[u8]| text_of(OsStr::from_bytes(bytes));
        assert_eq!(name("käse.log".as_bytes()), "käse.log");
        assert_eq!(name(b"a\xff\xfe.log"), "a%FF%FE.log");
        assert_ne!(name(b"a\xff"), name(b"a\xfe"));
    }

    #[test]
    fn folders_of_the_program_are_not_looked_into() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["archive/a", "ledger/b", "archived/c"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        let own = ["archive", "ledger", "index"].map(|name| folder.path().join(name));
        let listing = list(&Config::default(), &[folder.path().to_owned()], &own).unwrap();
        let keys: Vec<&str> = listing.objects.iter().map(|object| object.key.as_str()).collect();
        assert_eq!(keys, ["archived/c"]);
    }
}
