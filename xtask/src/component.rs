//! From a core module to a component file: encoded, checked, and with its package sections.
//!
//! Contract: the same module, manifest and fixtures give the same bytes. The manifest and the fixtures travel inside the
//! component as custom sections, so that the host reads them without running code, and one digest and one signature
//! cover everything.

use anyhow::{Context, Result, bail};
use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};
use wasm_encoder::{CustomSection, Section};
use wasmparser::{Parser, Payload};
use wit_component::ComponentEncoder;

/// The section that holds the bytes of parser.toml. At most one.
pub(crate) const MANIFEST_SECTION: &str = "weir:manifest";

/// A section for each fixture: the length of its name in bytes (u32, little endian), its name (UTF-8, its path under
/// `fixtures` with `/` as separator), its content. In the order of the names.
pub(crate) const FIXTURE_SECTION: &str = "weir:fixture";

/// What the names and contents of all fixtures of a parser may come to, in bytes.
pub(crate) const FIXTURES_LIMIT: usize = 1024 * 1024;

/// A file of a parser's folder `fixtures`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fixture {
    pub(crate) name: String,
    pub(crate) content: Vec<u8>,
}

/// Wraps a core module as a component, validated.
pub(crate) fn encode(module: &[u8]) -> Result<Vec<u8>> {
    ComponentEncoder::default().validate(true).module(module)?.encode()
}

/// The names of what a component imports.
pub(crate) fn imports(component: &[u8]) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(component) {
        match payload.context("not a component")? {
            // Modules and components that lie inside may import what lies beside them.
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    names.push(import?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(names)
}

/// Appends the manifest and the fixtures to a component.
pub(crate) fn append_package(component: &mut Vec<u8>, manifest: &[u8], fixtures: &[Fixture]) -> Result<()> {
    let total: usize = fixtures.iter().map(|fixture| fixture.name.len() + fixture.content.len()).sum();
    if total > FIXTURES_LIMIT {
        bail!(
            "its fixtures come to {total} bytes, but a component carries at most {FIXTURES_LIMIT}: shorten the longest \
             files of its folder fixtures"
        );
    }
    append_section(component, MANIFEST_SECTION, manifest);
    for fixture in fixtures {
        append_section(component, FIXTURE_SECTION, &fixture_payload(fixture)?);
    }
    Ok(())
}

fn append_section(component: &mut Vec<u8>, name: &str, data: &[u8]) {
    CustomSection { name: Cow::Borrowed(name), data: Cow::Borrowed(data) }.append_to(component);
}

fn fixture_payload(fixture: &Fixture) -> Result<Vec<u8>> {
    let length = u32::try_from(fixture.name.len()).context("the name of a fixture is too long")?;
    let mut payload = Vec::with_capacity(4 + fixture.name.len() + fixture.content.len());
    payload.extend_from_slice(&length.to_le_bytes());
    payload.extend_from_slice(fixture.name.as_bytes());
    payload.extend_from_slice(&fixture.content);
    Ok(payload)
}

/// All files under a folder of fixtures, in the order of their names; none when there is no such folder. Files whose
/// names begin with a dot are not fixtures.
pub(crate) fn read_fixtures(folder: &Path) -> Result<Vec<Fixture>> {
    let mut fixtures = Vec::new();
    if folder.is_dir() {
        collect_fixtures(folder, "", &mut fixtures)?;
    }
    fixtures.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(fixtures)
}

fn collect_fixtures(folder: &Path, prefix: &str, fixtures: &mut Vec<Fixture>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
        let file_name = path.file_name().unwrap_or_default();
        let Some(name) = file_name.to_str() else {
            bail!("{} has a name that is not UTF-8: rename it", path.display());
        };
        if name.starts_with('.') {
            continue;
        }
        let name = format!("{prefix}{name}");
        if path.is_dir() {
            collect_fixtures(&path, &format!("{name}/"), fixtures)?;
        } else {
            let content = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            fixtures.push(Fixture { name, content });
        }
    }
    Ok(())
}

/// Writes a file at once or not at all, and only when its bytes differ. Returns whether it was written.
pub(crate) fn write_if_changed(file: &Path, bytes: &[u8]) -> Result<bool> {
    if fs::read(file).is_ok_and(|present| present == bytes) {
        return Ok(false);
    }
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary: PathBuf = file.with_file_name(name);
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    fs::write(&temporary, bytes).with_context(|| format!("cannot write {}", temporary.display()))?;
    fs::rename(&temporary, file).with_context(|| format!("cannot move {} into place", file.display()))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_encoder::{Component, ComponentImportSection, ComponentTypeRef, TypeBounds};

    fn fixture(name: &str, content: &[u8]) -> Fixture {
        Fixture { name: name.to_owned(), content: content.to_vec() }
    }

    fn custom_sections(component: &[u8]) -> Vec<(String, Vec<u8>)> {
        let payloads = Parser::new(0).parse_all(component);
        payloads
            .filter_map(|payload| match payload.unwrap() {
                Payload::CustomSection(section) => Some((section.name().to_owned(), section.data().to_vec())),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn the_package_can_be_read_back() {
        let mut component = Component::new().finish();
        let fixtures = [fixture("a.log", b"one\n"), fixture("dé/b.log", b"")];
        append_package(&mut component, b"name = \"x\"\n", &fixtures).unwrap();
        assert_eq!(
            custom_sections(&component),
            [
                ("weir:manifest".to_owned(), b"name = \"x\"\n".to_vec()),
                ("weir:fixture".to_owned(), b"\x05\0\0\0a.logone\n".to_vec()),
                ("weir:fixture".to_owned(), "\x09\0\0\0dé/b.log".as_bytes().to_vec()),
            ]
        );
    }

    #[test]
    fn too_much_of_fixtures_is_refused() {
        let mut component = Component::new().finish();
        let whole = [fixture("four", &vec![0; FIXTURES_LIMIT - 4])];
        append_package(&mut component, b"", &whole).unwrap();
        let over = [fixture("four", &vec![0; FIXTURES_LIMIT - 3])];
        let error = append_package(&mut component, b"", &over).unwrap_err().to_string();
        assert!(error.contains("1048577 bytes"), "{error}");
    }

    #[test]
    fn imports_are_named() {
        let mut section = ComponentImportSection::new();
        section.import("weir:clock", ComponentTypeRef::Type(TypeBounds::SubResource));
        let mut component = Component::new();
        component.section(&section);
        assert_eq!(imports(&component.finish()).unwrap(), ["weir:clock"]);
        assert!(imports(&Component::new().finish()).unwrap().is_empty());
        assert!(imports(b"no component").is_err());
    }

    #[test]
    fn a_file_is_written_only_when_it_differs() {
        let folder = std::env::temp_dir().join(format!("weir-xtask-component-{}", std::process::id()));
        let file = folder.join("x.wasm");
        assert!(write_if_changed(&file, b"one").unwrap());
        assert!(!write_if_changed(&file, b"one").unwrap());
        assert!(write_if_changed(&file, b"two").unwrap());
        assert_eq!(fs::read(&file).unwrap(), b"two");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn fixtures_are_sorted_by_their_whole_name() {
        let folder = std::env::temp_dir().join(format!("weir-xtask-fixtures-{}", std::process::id()));
        fs::create_dir_all(folder.join("b")).unwrap();
        for name in ["b/z.log", "b.log", "a.log", ".hidden"] {
            fs::write(folder.join(name), name).unwrap();
        }
        let names: Vec<String> =
            read_fixtures(&folder).unwrap().into_iter().map(|fixture| fixture.name).collect();
        assert_eq!(names, ["a.log", "b.log", "b/z.log"]);
        fs::remove_dir_all(&folder).unwrap();
        assert!(read_fixtures(&folder).unwrap().is_empty());
    }
}
