//! A component file: its bytes, its digest, and what its custom sections say, read without running code.

use super::manifest::{Manifest, ManifestError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The custom section that holds `parser.toml`.
pub const MANIFEST_SECTION: &str = "weir:manifest";
/// Custom sections that hold one fixture file each: the length of the name (u32, little endian), the name, the content.
pub const FIXTURE_SECTION: &str = "weir:fixture";

/// Why a component file is refused.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    #[error("cannot read the component {path}; check that the file exists and may be read")]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(
        "{path} has {size} bytes, and a component may have {limit}; make it smaller or raise `limits.component-bytes`"
    )]
    TooLarge { path: PathBuf, size: u64, limit: u64 },
    #[error("{path} is not a WebAssembly component; build it with `cargo xtask build-parsers`")]
    NotAComponent {
        path: PathBuf,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error(
        "{path} has no `{MANIFEST_SECTION}` section; build it with `cargo xtask build-parsers`, which embeds parser.toml"
    )]
    NoManifest { path: PathBuf },
    #[error(
        "{path} imports `{import}`, and a parser gets nothing; remove what needs it (often a crate that uses clocks, random numbers or files)"
    )]
    Import { path: PathBuf, import: String },
    #[error(
        "{path} has more than one `{MANIFEST_SECTION}` section; build it anew with `cargo xtask build-parsers`"
    )]
    SeveralManifests { path: PathBuf },
    #[error("the manifest of {path} is refused")]
    Manifest {
        path: PathBuf,
        #[source]
        source: ManifestError,
    },
    #[error("{path} cannot be compiled for this machine")]
    Compile {
        path: PathBuf,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("{path} does not export the parser interface of contract {version}; rebuild it with that SDK", version = super::contract::VERSION)]
    Export {
        path: PathBuf,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A fixture that travels inside a component.
#[derive(Debug, Clone)]
pub struct Fixture {
    /// The file's name, `version-2.log`.
    pub name: String,
    pub content: Vec<u8>,
}

/// A component file as read, checked as far as that goes without compiling it.
#[derive(Debug, Clone)]
pub struct ComponentFile {
    pub path: PathBuf,
    pub bytes: Arc<[u8]>,
    /// BLAKE3 of the file, in hexadecimal.
    pub digest: String,
    pub manifest: Manifest,
    pub fixtures: Vec<Fixture>,
}

impl ComponentFile {
    /// Reads a component file of at most `limit` bytes.
    ///
    /// # Errors
    /// When it cannot be read, is no component, or carries no manifest that this host accepts.
    pub fn read(path: &Path, limit: u64) -> Result<Self, ComponentError> {
        let path = path.to_owned();
        let fail = |source| ComponentError::Read { path: path.clone(), source };
        let size = std::fs::metadata(&path).map_err(fail)?.len();
        if size > limit {
            return Err(ComponentError::TooLarge { path, size, limit });
        }
        let bytes = std::fs::read(&path).map_err(fail)?;
        Self::from_bytes(&path, bytes)
    }

    /// Checks the bytes of a component; `path` is for messages.
    ///
    /// # Errors
    /// As [`ComponentFile::read`].
    pub fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<Self, ComponentError> {
        let path = path.to_owned();
        let broken = |source: wasmparser::BinaryReaderError| ComponentError::NotAComponent {
            path: path.clone(),
            source: Box::new(source),
        };
        let (mut manifest, mut fixtures, mut depth) = (None, Vec::new(), 0_u32);
        for payload in wasmparser::Parser::new(0).parse_all(&bytes) {
            match payload.map_err(broken)? {
                wasmparser::Payload::Version { encoding, .. } => {
                    if depth == 0 && encoding != wasmparser::Encoding::Component {
                        return Err(ComponentError::NotAComponent {
                            path,
                            source: "it is a core module, not a component".into(),
                        });
                    }
                    depth += 1;
                }
                wasmparser::Payload::End(_) => depth = depth.saturating_sub(1),
                // Sections of modules inside the component are not ours.
                wasmparser::Payload::CustomSection(section) if depth == 1 => match section.name() {
                    // Whoever reads the first and whoever reads the last would see two different parsers.
                    MANIFEST_SECTION if manifest.is_some() => {
                        return Err(ComponentError::SeveralManifests { path });
                    }
                    MANIFEST_SECTION => manifest = Some(section.data()),
                    FIXTURE_SECTION => fixtures.extend(read_fixture(section.data())),
                    _ => {}
                },
                _ => {}
            }
        }
        let manifest = manifest.ok_or_else(|| ComponentError::NoManifest { path: path.clone() })?;
        let manifest = Manifest::parse(manifest)
            .map_err(|source| ComponentError::Manifest { path: path.clone(), source })?;
        let digest = blake3::hash(&bytes).to_hex().to_string();
        Ok(ComponentFile { path, digest, manifest, fixtures, bytes: bytes.into() })
    }
}

fn read_fixture(payload: &[u8]) -> Option<Fixture> {
    let (length, rest) = payload.split_first_chunk::<4>()?;
    let (name, content) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    Some(Fixture { name: String::from_utf8(name.to_vec()).ok()?, content: content.to_vec() })
}
