//! What every command starts from: configuration, sandbox, parsers, pipeline.

use crate::config::{Config, ConfigError};
use crate::enrich::Enricher;
use crate::ingest::stream::FrameLimits;
use crate::parser::{EngineError, Registry, RegistryError, RegistrySettings, Sandbox, Workers};
use crate::pipeline::{Pipeline, Stages};
use crate::redact::Redactor;
use crate::route::Router;
use crate::volume::VolumeControl;
use std::sync::Arc;

/// The parts of a running host that the configuration decides.
#[derive(Debug)]
pub struct Host {
    pub config: Config,
    pub registry: Registry,
    pub stages: Arc<Stages>,
}

/// Why a host cannot start.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl Host {
    /// Opens databases and parsers as the configuration says.
    ///
    /// # Errors
    /// Names the setting, file or parser at fault.
    pub fn open(config: Config) -> Result<Self, HostError> {
        let stages = Stages {
            enricher: Enricher::open(&config)?,
            redactor: Redactor::new(&config)?,
            volume: VolumeControl::new(&config)?,
        };
        let limits = &config.limits;
        let overrides: std::collections::BTreeMap<_, _> = config
            .parsers
            .grant
            .iter()
            .map(|(name, grant)| (name.clone(), limits.parser_limits(*grant)))
            .collect();
        let general = limits.parser_limits(crate::config::Grant::default());
        let most =
            overrides.values().map(|limits| limits.memory_bytes).max().unwrap_or(0).max(general.memory_bytes);
        let folder = config.resolve(&config.parsers.folder);
        let cache = match &config.parsers.cache {
            Some(cache) => config.resolve(cache),
            None => folder.join("compiled"),
        };
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let workers = Workers::new(if config.parsers.workers == 0 { cores } else { config.parsers.workers });
        let settings =
            RegistrySettings { folder, component_bytes: limits.component_bytes, limits: general, overrides };
        let registry = Registry::open(Sandbox::new(Some(cache), most)?, workers, settings)?;
        let host = Host { config, registry, stages: Arc::new(stages) };
        for error in host.misnamed() {
            tracing::warn!(%error, "a setting is without effect");
        }
        Ok(host)
    }

    /// Settings for parsers and log types that there are not. A parser may come later, so that this is no reason not to
    /// start; but a redaction of a misspelt log type redacts nothing.
    pub fn misnamed(&self) -> Vec<ConfigError> {
        let (config, parsers) = (&self.config, self.registry.parsers());
        let mut named: Vec<(String, &String)> = Vec::new();
        let routes = config.routes.iter().filter_map(|route| route.log_type.as_ref());
        named.extend(routes.filter(|name| *name != "none").map(|name| ("route.log-type".to_owned(), name)));
        for rule in &config.volume_rules {
            named.extend(rule.log_types.iter().map(|name| (format!("volume.{}.log-types", rule.name), name)));
        }
        for rule in &config.redactions {
            named.extend(rule.log_types.iter().map(|name| ("redact.log-types".to_owned(), name)));
        }
        named.extend(config.index.names.keys().map(|name| ("index.names".to_owned(), name)));
        let periods = config.index.periods.iter().map(|change| &change.log_type);
        named.extend(periods.map(|name| ("index.periods.log-type".to_owned(), name)));
        let misnamed = named.into_iter().filter(|(_, name)| !parsers.contains_key(*name));
        let mut errors: Vec<ConfigError> = misnamed
            .map(|(setting, name)| ConfigError::Value {
                setting,
                problem: format!(
                    "no parser reads the log type `{name}`; known: {}",
                    parsers.keys().cloned().collect::<Vec<_>>().join(", ")
                ),
            })
            .collect();
        for name in config.parsers.grant.keys() {
            if !parsers.values().any(|parser| &parser.manifest().name == name) {
                errors.push(ConfigError::Value {
                    setting: format!("parsers.grant.{name}"),
                    problem: "there is no such parser; correct the name or remove the section".to_owned(),
                });
            }
        }
        errors
    }

    /// A pipeline with the parsers in force now.
    pub fn pipeline(&self) -> Pipeline {
        let limits = &self.config.limits;
        Pipeline {
            router: Arc::new(Router::new(&self.config, &self.registry)),
            stages: self.stages.clone(),
            limits: FrameLimits {
                frame_bytes: limits.frame_bytes,
                batch_bytes: limits.batch_bytes,
                object_bytes: limits.object_bytes,
                ratio: limits.ratio,
                ..FrameLimits::default()
            },
        }
    }

    /// How many objects are read at once.
    pub fn objects_at_once(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        if self.config.limits.objects == 0 { cores } else { self.config.limits.objects }
    }
}
