//! The parsers in force: loaded from a folder of component files, looked up by log type, swapped when a file changes.

use super::answer::Answer;
use super::bisect::{self, Breaker};
use super::component::{ComponentError, ComponentFile};
use super::contract::Batch;
use super::engine::{CompiledParser, EngineError, Limits, Sandbox};
use super::manifest::Manifest;
use super::workers::Workers;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

/// A parser in force. Batches in flight keep the one they began with.
#[derive(Debug)]
pub struct Parser {
    compiled: Arc<CompiledParser>,
    breaker: Breaker,
    workers: Workers,
}

impl Parser {
    /// What the component says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.compiled.file().manifest
    }

    /// The component file.
    pub fn file(&self) -> &ComponentFile {
        self.compiled.file()
    }

    /// BLAKE3 of the component, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.compiled.file().digest
    }

    /// The compiled component, for those who measure it: what it answers is not checked.
    pub fn compiled(&self) -> &CompiledParser {
        &self.compiled
    }

    /// The limits it runs under.
    pub fn limits(&self) -> Limits {
        self.compiled.limits()
    }

    /// Whether its frames wait for a fixed version.
    pub fn is_tripped(&self) -> bool {
        self.breaker.is_open()
    }

    /// Parses a batch once a worker is free; every frame gets a verdict.
    ///
    /// # Errors
    /// Only for what is not the parser's fault.
    pub fn parse(&self, batch: &Batch<'_>) -> Result<Answer, EngineError> {
        let mut worker = self.workers.acquire(&self.manifest().name);
        bisect::run(&self.compiled, &self.breaker, batch, &mut worker)
    }
}

/// How parsers are found and bounded.
#[derive(Debug, Clone)]
pub struct RegistrySettings {
    /// The folder of component files (`*.wasm`).
    pub folder: PathBuf,
    /// The largest component file, in bytes.
    pub component_bytes: u64,
    /// The limits of a parser that the configuration does not name.
    pub limits: Limits,
    /// Limits by parser name.
    pub overrides: BTreeMap<String, Limits>,
}

/// Why the parsers cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error(
        "cannot read the parsers' folder {folder}; build them with `cargo xtask build-parsers` or set `parsers.folder`"
    )]
    Folder {
        folder: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(
        "there are no parsers (*.wasm) in {folder}; build them with `cargo xtask build-parsers` or set `parsers.folder`"
    )]
    Empty { folder: PathBuf },
    #[error("{first} and {second} both parse the log type {log_type}; remove one of them")]
    SameLogType { log_type: String, first: PathBuf, second: PathBuf },
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl From<ComponentError> for RegistryError {
    fn from(error: ComponentError) -> Self {
        RegistryError::Engine(EngineError::Component(error))
    }
}

/// What a look at the folder changed.
#[derive(Debug, Default)]
pub struct Reloaded {
    /// Parsers that are new or replaced, by name.
    pub loaded: Vec<String>,
    /// Parsers whose file is gone.
    pub removed: Vec<String>,
    /// Files that were refused; what was in force for them stays in force.
    pub refused: Vec<RegistryError>,
}

/// A file as it was when it was looked at last.
type Stamp = (Option<SystemTime>, u64);

#[derive(Debug, Default)]
struct State {
    by_path: BTreeMap<PathBuf, (Stamp, Option<Arc<Parser>>)>,
    by_log_type: Arc<BTreeMap<String, Arc<Parser>>>,
}

/// The parsers of one host.
#[derive(Debug)]
pub struct Registry {
    sandbox: Arc<Sandbox>,
    workers: Workers,
    settings: RegistrySettings,
    state: RwLock<State>,
}

impl Registry {
    /// Loads every component of the folder. A component that is refused is refused here, at the start.
    ///
    /// # Errors
    /// Names the file and why.
    pub fn open(
        sandbox: Arc<Sandbox>,
        workers: Workers,
        settings: RegistrySettings,
    ) -> Result<Self, RegistryError> {
        let registry = Registry { sandbox, workers, settings, state: RwLock::default() };
        let mut changes = registry.reload()?;
        match changes.refused.pop() {
            Some(error) => Err(error),
            None if registry.parsers().is_empty() => {
                Err(RegistryError::Empty { folder: registry.settings.folder.clone() })
            }
            None => Ok(registry),
        }
    }

    /// The parser of a log type.
    pub fn parser(&self, log_type: &str) -> Option<Arc<Parser>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).by_log_type.get(log_type).cloned()
    }

    /// Every log type with its parser.
    pub fn parsers(&self) -> Arc<BTreeMap<String, Arc<Parser>>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).by_log_type.clone()
    }

    /// Loads one component without putting it in force.
    ///
    /// # Errors
    /// Names the file and why.
    pub fn load_file(&self, path: &Path) -> Result<Arc<Parser>, RegistryError> {
        let file = ComponentFile::read(path, self.settings.component_bytes)?;
        Ok(self.prepare(file)?)
    }

    fn prepare(&self, file: ComponentFile) -> Result<Arc<Parser>, EngineError> {
        let limits =
            self.settings.overrides.get(&file.manifest.name).copied().unwrap_or(self.settings.limits);
        let compiled = self.sandbox.load(file, limits)?;
        Ok(Arc::new(Parser { compiled, breaker: Breaker::default(), workers: self.workers.clone() }))
    }

    /// Looks at the folder again. New and changed files are compiled off the hot path and then put in force all at once;
    /// a file that is refused changes nothing.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn reload(&self) -> Result<Reloaded, RegistryError> {
        let stamps = self.list()?;
        let known: BTreeMap<PathBuf, (Stamp, Option<Arc<Parser>>)> =
            self.state.read().unwrap_or_else(PoisonError::into_inner).by_path.clone();
        let changed: Vec<&PathBuf> = stamps
            .iter()
            .filter(|(path, stamp)| known.get(*path).is_none_or(|(old, _)| old != *stamp))
            .map(|(path, _)| path)
            .collect();
        let gone: Vec<&PathBuf> = known.keys().filter(|path| !stamps.contains_key(*path)).collect();
        let mut report = Reloaded::default();
        if changed.is_empty() && gone.is_empty() {
            return Ok(report);
        }

        let mut next = known.clone();
        for path in gone {
            if let Some((_, Some(parser))) = next.remove(path) {
                report.removed.push(parser.manifest().name.clone());
            }
        }
        for (path, outcome) in self.load_all(&changed) {
            let stamp = stamps.get(&path).copied().unwrap_or_default();
            let before = known.get(&path).and_then(|(_, parser)| parser.clone());
            match outcome {
                // The same bytes under a new date: the breaker's memory stays, too.
                Ok(parser) if before.as_ref().is_some_and(|old| old.digest() == parser.digest()) => {
                    next.insert(path, (stamp, before));
                }
                Ok(parser) => {
                    report.loaded.push(parser.manifest().name.clone());
                    next.insert(path, (stamp, Some(parser)));
                }
                Err(error) => {
                    report.refused.push(error);
                    next.insert(path, (stamp, before));
                }
            }
        }
        match by_log_type(&next) {
            Ok(by_log_type) => {
                let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
                *state = State { by_path: next, by_log_type: Arc::new(by_log_type) };
            }
            Err(error) => {
                report = Reloaded { refused: vec![error], ..Reloaded::default() };
                let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
                // Looked at, refused, and not tried again until a file changes.
                for (path, stamp) in stamps {
                    state.by_path.entry(path).or_default().0 = stamp;
                }
            }
        }
        Ok(report)
    }

    fn list(&self) -> Result<BTreeMap<PathBuf, Stamp>, RegistryError> {
        let folder = &self.settings.folder;
        let fail = |source| RegistryError::Folder { folder: folder.clone(), source };
        let mut stamps = BTreeMap::new();
        for entry in std::fs::read_dir(folder).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            if path.extension().is_some_and(|extension| extension == "wasm")
                && let Ok(metadata) = std::fs::metadata(&path)
            {
                stamps.insert(path, (metadata.modified().ok(), metadata.len()));
            }
        }
        Ok(stamps)
    }

    /// Compiles on every core: the first start after a build has a dozen components to compile.
    fn load_all(&self, paths: &[&PathBuf]) -> Vec<(PathBuf, Result<Arc<Parser>, RegistryError>)> {
        let next = std::sync::atomic::AtomicUsize::new(0);
        let work = || {
            let mut loaded = Vec::new();
            while let Some(path) = paths.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                loaded.push(((*path).clone(), self.load_file(path)));
            }
            loaded
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..self.workers.count().min(paths.len())).map(|_| scope.spawn(work)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
        })
    }
}

fn by_log_type(
    files: &BTreeMap<PathBuf, (Stamp, Option<Arc<Parser>>)>,
) -> Result<BTreeMap<String, Arc<Parser>>, RegistryError> {
    let mut by_log_type: BTreeMap<String, Arc<Parser>> = BTreeMap::new();
    for parser in files.values().filter_map(|(_, parser)| parser.as_ref()) {
        for log_type in &parser.manifest().log_types {
            if let Some(other) = by_log_type.insert(log_type.clone(), parser.clone()) {
                return Err(RegistryError::SameLogType {
                    log_type: log_type.clone(),
                    first: other.file().path.clone(),
                    second: parser.file().path.clone(),
                });
            }
        }
    }
    Ok(by_log_type)
}
