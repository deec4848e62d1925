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
        Ok(Host { config, registry, stages: Arc::new(stages) })
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
