//! What the tests share: where components lie, a host with chosen parsers, a sink in memory, carriers.

pub(crate) mod component;
pub(crate) mod host;
pub(crate) mod sink;

use std::path::{Path, PathBuf};

/// The checkout.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The target folder that these tests were built in.
pub(crate) fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().to_owned()
}

fn folder(variable: &str, name: &str) -> PathBuf {
    let folder = std::env::var_os(variable).map_or_else(|| target().join(name), PathBuf::from);
    assert!(folder.is_dir(), "{} is no folder; run `cargo xtask test`, which builds it", folder.display());
    folder
}

/// Where the components of the parsers lie.
pub(crate) fn parsers_folder() -> PathBuf {
    folder("WEIR_PARSERS_DIR", "parsers")
}

fn read(folder: &Path, name: &str) -> Vec<u8> {
    let path = folder.join(format!("{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask test`", path.display()))
}

/// The component of a parser.
pub(crate) fn parser(name: &str) -> Vec<u8> {
    read(&parsers_folder(), name)
}

/// The component of a guest of `tests/guests`.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    read(&folder("WEIR_GUESTS_DIR", "guests"), name)
}
