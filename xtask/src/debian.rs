//! Packages of a Debian archive, downloaded and unpacked without installing anything.
//!
//! `apt-get` does the fetching, with a temporary configuration of its own: the address of the archive and the key that
//! signs it come from the machine's own sources, the index and the files land in a folder of ours, and the machine's
//! configuration and state are left alone. So every package of any version is checked against the signed index.

use crate::process;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// For fetching indexes (about 10 MB at most).
const UPDATE_LIMIT: Duration = Duration::from_mins(2);
/// For fetching one package (about 50 MB at most).
const DOWNLOAD_LIMIT: Duration = Duration::from_mins(10);
/// For what touches only local files.
const LOCAL_LIMIT: Duration = Duration::from_mins(2);

/// One address of an archive, as the sources of a machine name it (sources.list(5)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Archive {
    /// Base address.
    pub(crate) uri: String,
    /// Suites, for example `bookworm` and `bookworm-updates`.
    pub(crate) suites: Vec<String>,
    /// Components, for example `main`.
    pub(crate) components: Vec<String>,
    /// The key file or the key itself, when the machine names one; else apt's own trusted keys hold.
    pub(crate) signed_by: Option<String>,
}

impl Archive {
    /// The same archive with one other suite.
    pub(crate) fn with_suite(&self, suite: &str) -> Self {
        Self { suites: vec![suite.to_owned()], components: vec!["main".to_owned()], ..self.clone() }
    }

    /// Whether this is a main archive, not one of security updates or of a third party.
    pub(crate) fn is_main(&self) -> bool {
        self.components.iter().any(|component| component == "main")
            && !self.uri.trim_end_matches('/').ends_with("security")
            && self.suites.iter().any(|suite| !suite.contains(['-', '/']))
    }

    fn stanza(&self) -> String {
        let mut stanza = format!(
            "Types: deb\nURIs: {}\nSuites: {}\nComponents: {}\n",
            self.uri,
            self.suites.join(" "),
            self.components.join(" ")
        );
        if let Some(key) = &self.signed_by {
            stanza.extend(["Signed-By: ", key, "\n"]);
        }
        stanza
    }
}

/// The archives that the machine itself uses: `sources.list` and `sources.list.d` under `folder` (`/etc/apt`).
pub(crate) fn machine_archives(folder: &Path) -> Result<Vec<Archive>> {
    let mut files = vec![folder.join("sources.list")];
    if let Ok(entries) = fs::read_dir(folder.join("sources.list.d")) {
        for entry in entries {
            files.push(entry.with_context(|| format!("cannot list {}", folder.display()))?.path());
        }
    }
    files.sort();
    let mut archives = Vec::new();
    for file in files {
        let parse = match file.extension().and_then(|extension| extension.to_str()) {
            Some("list") => parse_list,
            Some("sources") => parse_stanzas,
            _ => continue,
        };
        // A file that this user may not read holds an address that is not ours to use.
        if let Ok(text) = fs::read_to_string(&file) {
            archives.extend(parse(&text));
        }
    }
    Ok(archives)
}

/// The one-line style: `deb [signed-by=FILE] URI SUITE COMPONENT...`.
fn parse_list(text: &str) -> Vec<Archive> {
    text.lines().filter_map(parse_list_line).collect()
}

fn parse_list_line(line: &str) -> Option<Archive> {
    let mut rest = line.split('#').next()?.trim().strip_prefix("deb")?;
    rest = rest.strip_prefix([' ', '\t'])?.trim_start();
    let mut signed_by = None;
    if let Some(options) = rest.strip_prefix('[') {
        let (options, after) = options.split_once(']')?;
        signed_by = options
            .split_whitespace()
            .find_map(|option| option.strip_prefix("signed-by="))
            .map(|value| value.replace(',', " "));
        rest = after;
    }
    let mut words = rest.split_whitespace().map(str::to_owned);
    Some(Archive { uri: words.next()?, suites: vec![words.next()?], components: words.collect(), signed_by })
}

/// The deb822 style: paragraphs of `Field: value`, where a line that begins with a space continues the one before.
fn parse_stanzas(text: &str) -> Vec<Archive> {
    let mut archives = Vec::new();
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in text.lines().chain([""]) {
        if line.starts_with('#') {
            continue;
        }
        if line.trim().is_empty() {
            archives.extend(archives_of_stanza(&fields));
            fields.clear();
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push('\n');
                value.push_str(line);
            }
        } else if let Some((name, value)) = line.split_once(':') {
            fields.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    archives
}

fn archives_of_stanza(fields: &[(String, String)]) -> Vec<Archive> {
    let field =
        |wanted: &str| fields.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let words = |wanted: &str| -> Vec<String> {
        field(wanted).unwrap_or_default().split_whitespace().map(str::to_owned).collect()
    };
    let enabled = field("enabled").is_none_or(|value| !matches!(value, "no" | "false" | "0" | "off"));
    if !enabled || !words("types").iter().any(|kind| kind == "deb") {
        return Vec::new();
    }
    let archive = |uri| Archive {
        uri,
        suites: words("suites"),
        components: words("components"),
        signed_by: field("signed-by").map(str::to_owned),
    };
    words("uris").into_iter().map(archive).collect()
}

/// The first of `versions` (newest first, as apt lists them) that packages the upstream version `release`.
pub(crate) fn version_of_release<'a>(versions: &'a [String], release: &str) -> Option<&'a str> {
    versions.iter().map(String::as_str).find(|version| upstream(version) == release)
}

/// The upstream version of a Debian version: `1.95.0` of `1.95.0+dfsg1-2~bpo13+1`.
pub(crate) fn upstream(version: &str) -> &str {
    let version = version.split_once(':').map_or(version, |(_, after_epoch)| after_epoch);
    version.split(['+', '-', '~']).next().unwrap_or(version)
}

/// An apt of our own in a folder of ours.
pub(crate) struct Apt {
    folder: PathBuf,
}

impl Apt {
    /// Fetches the signed indexes of `archives`. Beneath `folder` everything may be overwritten.
    pub(crate) fn new(folder: &Path, archives: &[Archive]) -> Result<Self> {
        for part in ["state/lists/partial", "cache/archives/partial", "files"] {
            let part = folder.join(part);
            fs::create_dir_all(&part).with_context(|| format!("cannot create {}", part.display()))?;
        }
        let sources = folder.join("archives.sources");
        let stanzas: Vec<String> = archives.iter().map(Archive::stanza).collect();
        fs::write(&sources, stanzas.join("\n"))
            .with_context(|| format!("cannot write {}", sources.display()))?;
        let apt = Self { folder: folder.to_owned() };
        process::output_within(UPDATE_LIMIT, apt.command("apt-get").arg("update"))?;
        Ok(apt)
    }

    /// The versions of a package in the archives, newest first; none when there is no such package.
    pub(crate) fn versions(&self, package: &str) -> Result<Vec<String>> {
        let table =
            process::output_within(LOCAL_LIMIT, self.command("apt-cache").args(["madison", package]))?;
        Ok(parse_madison(&table))
    }

    /// A package and all it depends on that the machine has not installed, each with the version to take.
    pub(crate) fn needed_for(&self, package: &str, version: &str) -> Result<Vec<(String, String)>> {
        let mut command = self.command("apt-get");
        // A later option overrides an earlier one: here, and only here, what is installed counts.
        command.args(["-o", "Dir::State::status=/var/lib/dpkg/status"]);
        command
            .args(["install", "--simulate", "--no-install-recommends"])
            .arg(format!("{package}={version}"));
        Ok(parse_simulation(&process::output_within(LOCAL_LIMIT, &mut command)?))
    }

    /// Downloads one package, checked against the signed index, and returns its file.
    pub(crate) fn download(&self, package: &str, version: &str) -> Result<PathBuf> {
        let files = self.folder.join("files");
        let mut command = self.command("apt-get");
        command.arg("download").arg(format!("{package}={version}")).current_dir(&files);
        process::output_within(DOWNLOAD_LIMIT, &mut command)?;
        let prefix = format!("{package}_");
        for entry in fs::read_dir(&files).with_context(|| format!("cannot list {}", files.display()))? {
            let path = entry?.path();
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix)) {
                return Ok(path);
            }
        }
        bail!("`{}` left no file {prefix}*.deb in {}", process::show(&command), files.display())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let folder = self.folder.display();
        command.env("LC_ALL", "C");
        for option in [
            format!("Dir::Etc::sourcelist={folder}/archives.sources"),
            "Dir::Etc::sourceparts=-".to_owned(),
            format!("Dir::State={folder}/state"),
            "Dir::State::status=/dev/null".to_owned(),
            format!("Dir::Cache={folder}/cache"),
            // As root apt would fetch as another user, who may not write to our folder.
            "APT::Sandbox::User=root".to_owned(),
            "APT::Get::Assume-Yes=true".to_owned(),
            "Acquire::Languages=none".to_owned(),
            "Acquire::Retries=2".to_owned(),
            "Acquire::http::Timeout=20".to_owned(),
            "Acquire::https::Timeout=20".to_owned(),
        ] {
            command.args(["-o", &option]);
        }
        command
    }
}

/// Rows of `package | version | archive`.
fn parse_madison(table: &str) -> Vec<String> {
    let version = |row: &str| row.split('|').nth(1).map(|version| version.trim().to_owned());
    table.lines().filter_map(version).collect()
}

/// Lines such as `Inst libllvm22 (1:22.1.8-1~deb12u1 Debian:12/oldstable [amd64])`; with the installed version in square
/// brackets before the new one when there is one.
fn parse_simulation(text: &str) -> Vec<(String, String)> {
    let package = |line: &str| {
        let (name, rest) = line.strip_prefix("Inst ")?.split_once(' ')?;
        let version = rest.split_once('(')?.1.split([' ', ')']).next()?;
        Some((name.to_owned(), version.to_owned()))
    };
    text.lines().filter_map(package).collect()
}

/// Unpacks the files of a package into `folder`, without installing it: with dpkg, or with ar and tar where it is absent.
pub(crate) fn unpack(package: &Path, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    if process::is_installed("dpkg") {
        process::output_within(LOCAL_LIMIT, Command::new("dpkg").arg("-x").arg(package).arg(folder))?;
        return Ok(());
    }
    // deb(5): an ar archive whose member data.tar, compressed in one of several ways, holds the files.
    let members = process::output_within(LOCAL_LIMIT, Command::new("ar").arg("t").arg(package))?;
    let data = members
        .lines()
        .find(|member| member.starts_with("data.tar"))
        .with_context(|| format!("{} has no data.tar: not a Debian package", package.display()))?;
    process::output_within(
        LOCAL_LIMIT,
        Command::new("ar").arg("x").arg(package).arg(data).current_dir(folder),
    )?;
    let archive = folder.join(data);
    process::output_within(LOCAL_LIMIT, Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(folder))?;
    fs::remove_file(&archive).with_context(|| format!("cannot remove {}", archive.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn one_line_sources() {
        let archives = parse_list(
            "# deb http://archive.example/old main\n\
             deb http://archive.example/debian bookworm main contrib # ours\n\
             deb-src http://archive.example/debian bookworm main\n\
             deb [arch=amd64 signed-by=/keys/a.gpg,/keys/b.gpg] http://tools.example/apt stable main\n\
             deb\n\
             deb http://archive.example/debian\n",
        );
        assert_eq!(archives.len(), 2);
        assert_eq!(archives[0].uri, "http://archive.example/debian");
        assert_eq!(archives[0].suites, strings(&["bookworm"]));
        assert_eq!(archives[0].components, strings(&["main", "contrib"]));
        assert_eq!(archives[0].signed_by, None);
        assert_eq!(archives[1].signed_by.as_deref(), Some("/keys/a.gpg /keys/b.gpg"));
    }

    #[test]
    fn stanza_sources() {
        let archives = parse_stanzas(
            "Types: deb deb-src\n# http://archive.example/commented\nURIs: http://archive.example/debian\n\
             Suites: bookworm bookworm-updates\nComponents: main\nSigned-By: /keys/archive.gpg\n\n\n\
             Types: deb\nURIs: http://off.example/debian\nSuites: x\nComponents: main\nEnabled: no\n\n\
             Types: deb-src\nURIs: http://source.example/debian\nSuites: x\nComponents: main\n",
        );
        assert_eq!(
            archives,
            [Archive {
                uri: "http://archive.example/debian".to_owned(),
                suites: strings(&["bookworm", "bookworm-updates"]),
                components: strings(&["main"]),
                signed_by: Some("/keys/archive.gpg".to_owned()),
            }]
        );
    }

    #[test]
    fn an_embedded_key_is_carried_through() {
        let text = "Types: deb\nURIs: http://archive.example/debian\nSuites: x\nComponents: main\nSigned-By:\n \
                    -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mDMEYCQjIxYJ\n -----END PGP PUBLIC KEY BLOCK-----\n";
        let archives = parse_stanzas(text);
        assert_eq!(archives.len(), 1);
        assert_eq!(parse_stanzas(&archives[0].stanza()), archives);
        assert!(archives[0].stanza().contains("\n mDMEYCQjIxYJ\n"));
    }

    #[test]
    fn the_main_archive_is_told_from_others() {
        let main = Archive {
            uri: "http://archive.example/debian/".to_owned(),
            suites: strings(&["bookworm", "bookworm-updates"]),
            components: strings(&["main"]),
            signed_by: None,
        };
        assert!(main.is_main());
        assert!(
            !Archive { uri: "http://archive.example/debian-security/".to_owned(), ..main.clone() }.is_main()
        );
        assert!(!Archive { suites: strings(&["bookworm-security"]), ..main.clone() }.is_main());
        assert!(!Archive { components: strings(&["stable"]), ..main.clone() }.is_main());
        let backports = main.with_suite("trixie-backports");
        assert_eq!((backports.uri, backports.suites), (main.uri, strings(&["trixie-backports"])));
    }

    #[test]
    fn packages_of_a_simulation() {
        let packages = parse_simulation(
            "Reading package lists...\nInst libllvm22 (1:22.1.8-1~deb12u1 Debian:12/oldstable [amd64])\n\
             Inst libz3-4 [4.8.12-1] (4.8.12-3.1 Debian:12/oldstable [amd64])\nConf libllvm22 (1:22.1.8-1~deb12u1 x)\n",
        );
        let expected = [("libllvm22", "1:22.1.8-1~deb12u1"), ("libz3-4", "4.8.12-3.1")];
        assert_eq!(packages, expected.map(|(name, version)| (name.to_owned(), version.to_owned())));
    }

    #[test]
    fn versions_of_a_release() {
        let versions = parse_madison(
            "  rust-src | 1.96.1+dfsg1-2~bpo13+1 | http://archive.example/debian suite/main amd64 Packages\n\
             \x20 rust-src | 1.95.0+dfsg1-2~bpo13+1 | http://archive.example/debian suite/main amd64 Packages\n",
        );
        assert_eq!(version_of_release(&versions, "1.95.0"), Some("1.95.0+dfsg1-2~bpo13+1"));
        assert_eq!(version_of_release(&versions, "1.95"), None);
        assert_eq!(version_of_release(&versions, "1.9"), None);
        assert_eq!(upstream("2:1.2.3-4"), "1.2.3");
        assert_eq!(upstream("1.85.0~rc1"), "1.85.0");
    }
}
