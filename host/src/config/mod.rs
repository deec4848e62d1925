//! `weir.toml`: read, checked, and resolved once.
//!
//! What the file does not say has a default, so that Weir runs without one. An unknown key is refused with the nearest
//! known one: a misspelt `retention-days` must not keep logs for ever. `WEIR__SECTION__KEY=value` in the environment
//! overrides the file; a `-` of a key is `_` there.

mod error;
mod limits;
mod overrides;
mod rules;
mod sources;

pub use error::ConfigError;
pub use limits::{
    ArchiveSettings, Grant, IndexSettings, LimitSettings, ParserSettings, Period, PeriodChange, ServeSettings,
};
pub use rules::{Action, EnrichSettings, RedactAction, RedactRule, VolumeRule};
pub use sources::{RouteOverride, SourceSettings};

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The name that is looked for in the working directory.
pub const FILE_NAME: &str = "weir.toml";

/// Everything that `weir.toml` can say.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Config {
    /// The folder of index, archive, ledger and quarantine.
    #[serde(default = "default_data")]
    pub data: PathBuf,
    /// The secret of hashed fields; best set as `WEIR__HASH_KEY`.
    #[serde(skip_serializing)]
    pub hash_key: Option<String>,
    /// Where parsers are and what each may use.
    pub parsers: ParserSettings,
    /// Bounds of reading and parsing.
    pub limits: LimitSettings,
    /// Where log objects come from.
    #[serde(rename = "source")]
    pub sources: Vec<SourceSettings>,
    /// What overrules the manifests' routes; the first that fits wins.
    #[serde(rename = "route")]
    pub routes: Vec<RouteOverride>,
    /// Fields removed or hashed before every output.
    #[serde(rename = "redact")]
    pub redactions: Vec<RedactRule>,
    /// What is kept, dropped or sampled; the first that fits decides.
    #[serde(rename = "volume")]
    pub volume_rules: Vec<VolumeRule>,
    /// Databases that add fields.
    pub enrich: EnrichSettings,
    /// The embedded index, and how indices are named.
    pub index: IndexSettings,
    /// The Parquet archive.
    pub archive: ArchiveSettings,
    /// The HTTP service of `weir run`.
    pub serve: ServeSettings,
    /// The folder that relative paths start from: the file's.
    #[serde(skip)]
    pub base: PathBuf,
}

fn default_data() -> PathBuf {
    PathBuf::from("data")
}

impl Config {
    /// Reads `path`, or `weir.toml` of the working directory if there is one, or the defaults; then the environment.
    ///
    /// # Errors
    /// Names the file, the place and what would be right.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let (path, text) = match path {
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
                (path.to_owned(), text)
            }
            None => match std::fs::read_to_string(FILE_NAME) {
                Ok(text) => (PathBuf::from(FILE_NAME), text),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    (PathBuf::from(FILE_NAME), String::new())
                }
                Err(source) => return Err(ConfigError::Read { path: PathBuf::from(FILE_NAME), source }),
            },
        };
        Self::from_text(&path, &text, std::env::vars())
    }

    /// Reads the text of a configuration; `path` is for messages and relative paths.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_text(
        path: &Path,
        text: &str,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        // Parsed as it stands first: errors then point into the file.
        let _: Config = toml::from_str(text).map_err(|error| ConfigError::in_file(path, text, &error))?;
        let mut table: toml::Table =
            toml::from_str(text).map_err(|error| ConfigError::in_file(path, text, &error))?;
        overrides::apply(&mut table, environment)?;
        let mut config: Config =
            table.try_into().map_err(|error: toml::de::Error| ConfigError::in_file(path, text, &error))?;
        if config.data.as_os_str().is_empty() {
            config.data = default_data();
        }
        let base = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        base.clone_into(&mut config.base);
        config.check()?;
        Ok(config)
    }

    /// A path of the configuration, from the file's folder.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        if path.is_absolute() { path.to_owned() } else { clean(&self.base.join(path)) }
    }

    fn check(&self) -> Result<(), ConfigError> {
        for (index, source) in self.sources.iter().enumerate() {
            source.check()?;
            if self.sources.iter().take(index).any(|other| other.name == source.name) {
                return Err(ConfigError::value(
                    "source.name",
                    format!("two sources are called `{}`; a name stands for one bucket", source.name),
                ));
            }
        }
        for route in &self.routes {
            route.check()?;
        }
        for rule in &self.volume_rules {
            rule.check()?;
        }
        for rule in &self.redactions {
            rule.check()?;
        }
        self.serve.check()?;
        self.limits.check()?;
        self.parsers.check()?;
        self.index.check()
    }
}

/// `./a` reads better as `a`.
fn clean(path: &Path) -> PathBuf {
    path.strip_prefix(".").map_or_else(|_| path.to_owned(), Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, ConfigError> {
        Config::from_text(Path::new("conf/weir.toml"), text, [])
    }

    #[test]
    fn nothing_configured_reduces_and_redacts_nothing() {
        let config = read("").unwrap();
        assert!(
            config.volume_rules.is_empty()
                && config.redactions.is_empty()
                && config.index.retention_days.is_none()
        );
        assert_eq!(config.resolve(&config.data), Path::new("conf/data"));
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_one() {
        let message = read("[index]\nretention-day = 3\n").unwrap_err().to_string();
        assert!(message.contains("line 2") && message.contains("`retention-days`"), "{message}");
        let message = read("[indx]\n").unwrap_err().to_string();
        assert!(message.contains("`index`"), "{message}");
    }

    #[test]
    fn the_environment_overrules_the_file() {
        let variables = [
            ("WEIR__INDEX__RETENTION_DAYS", "7"),
            ("WEIR__SERVE__LISTEN", "127.0.0.1:9"),
            ("WEIR__DATA", "/x"),
            ("WEIRD", "1"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config =
            Config::from_text(Path::new("weir.toml"), "[index]\nretention-days = 3\n", variables).unwrap();
        assert_eq!(config.index.retention_days, Some(7));
        assert_eq!(config.data, Path::new("/x"));
        let wrong = |name: &str, value: &str| {
            let variables = [(name.to_owned(), value.to_owned()), ("WEIR__DATA".to_owned(), "/x".to_owned())];
            Config::from_text(Path::new("weir.toml"), "", variables).unwrap_err().to_string()
        };
        let message = wrong("WEIR__INDEX__RETENTION", "7");
        assert!(
            message.contains("WEIR__INDEX__RETENTION") && message.contains("retention-days"),
            "{message}"
        );
        let message = wrong("WEIR__INDEX__RETENTION_DAYS", "soon");
        assert!(message.contains("WEIR__INDEX__RETENTION_DAYS"), "{message}");
        assert!(wrong("WEIR__DATA__X", "7").contains("WEIR__DATA__X"));
    }

    #[test]
    fn a_secret_of_digits_is_a_text() {
        for value in ["12345678901234567", "1234567890123456.5", "true"] {
            let variables = ["WEIR__HASH_KEY", "WEIR__SERVE__TOKEN", "WEIR__DATA"]
                .map(|name| (name.to_owned(), value.to_owned()));
            let config = Config::from_text(Path::new("weir.toml"), "", variables).unwrap();
            assert_eq!(
                (config.hash_key.as_deref(), config.serve.token.as_deref()),
                (Some(value), Some(value))
            );
            assert_eq!(config.data, Path::new(value));
        }
    }

    #[test]
    fn values_are_checked_before_anything_runs() {
        for text in [
            "[[volume]]\nname = \"a\"\nwhen = \"a:(\"\naction = \"drop\"\n",
            "[[volume]]\nname = \"a\"\nwhen = \"a:b\"\naction = \"sample\"\n",
            "[[volume]]\nname = \"a\"\nwhen = \"a:b\"\naction = \"sample\"\nrate = 1.5\n",
            "[[redact]]\nfields = []\naction = \"remove\"\n",
            "[[source]]\nname = \"a\"\npath = \"x\"\ntime-zone = \"Mars/Base\"\n",
            "[[source]]\nname = \"a\"\npath = \"x\"\ncharset = \"klingon\"\n",
            "[[source]]\nname = \"a\"\npath = \"x\"\n[[source]]\nname = \"a\"\npath = \"y\"\n",
            "[[redact]]\nfields = [\"user.*\"]\naction = \"remove\"\n",
            "[[redact]]\nfields = [\"user..name\"]\naction = \"remove\"\n",
            "[limits]\ndeadline-ms = 0\n",
            "[limits]\ndepth = 65\n",
            "[limits]\nmemory-bytes = 5000000000\n",
            "[limits]\nframe-bytes = 5000000000\n",
            "[parsers.grant.alb]\nfields = 0\n",
            "[index.names]\nalb = \"log alb\"\n",
            "[index.names]\nalb = \"Logs\"\n",
            "[[route]]\nprefix = \"a\"\nteam = \"a/b\"\n",
            "[[route]]\nprefix = \"a\"\n",
            "[serve]\nlisten = \"0.0.0.0:8080\"\n",
            "[[route]]\nkey = \"(\"\nlog-type = \"alb\"\n",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
