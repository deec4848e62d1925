//! The sandbox: wasmtime's engine, compiled parsers and the instances that run them.
//!
//! What bounds an instance: its memory (a limiter, 64 MiB unless granted more), its time (an epoch deadline per batch),
//! what the host copies out of it (hostcall fuel), and its life (it ends with any breach, and when its memory has grown
//! past the watermark). It imports nothing, so there is nothing else it could reach. Instances of the pooling allocator
//! are made in microseconds; they are kept between batches because the pages they touched are what costs.
//!
//! There are two engines. Batches run on the first, interrupted by epochs. The second counts fuel instead of time and
//! decides about a single suspect frame, so that a busy machine condemns nobody; its code is compiled when first
//! needed.

use super::component::{ComponentError, ComponentFile};
use super::contract::{self, Batch, Parsed, ParserPre};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use wasmtime::component::{Component, Linker};
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, ResourceLimiter, Store, Trap,
};

/// How often the epoch advances: the resolution of deadlines.
const TICK: Duration = Duration::from_millis(10);
/// Instances that may exist at once, over all parsers.
const INSTANCES: u32 = 128;

/// Limits of one parser, as granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory of one instance.
    pub memory_bytes: u64,
    /// Time for one batch.
    pub deadline: Duration,
    /// Documents may have this many times the bytes of their frames, plus [`Limits::output_extra`].
    pub output_factor: u64,
    /// Bytes.
    pub output_extra: u64,
    /// Members and elements of one event.
    pub fields: u32,
    /// Nested objects and arrays of one event.
    pub depth: u32,
    /// Units of fuel (roughly one instruction each) for a suspect frame, and as many times its bytes divided by 1,000.
    pub fuel: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory_bytes: 64 << 20,
            deadline: Duration::from_secs(1),
            output_factor: 16,
            output_extra: 1 << 20,
            fields: 1000,
            depth: 20,
            fuel: 200_000_000,
        }
    }
}

/// How an instance broke its bounds. Ends the instance, never the host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Breach {
    #[error("the parser trapped: {0}")]
    Trap(String),
    #[error("the parser ran past its deadline")]
    Deadline,
    #[error("the parser used up its fuel")]
    Fuel,
    #[error("the parser asked for more memory than {limit} bytes")]
    Memory { limit: u64 },
    #[error("the parser's output of {bytes} bytes is over the bound of {limit}")]
    Output { bytes: u64, limit: u64 },
    /// Documents aside, all that an answer holds: lists and strings may alias memory, so that a small instance can
    /// answer with more than the host has.
    #[error("the parser's answer is over the bound of {limit} bytes")]
    Answer { limit: u64 },
    /// No instance can be made, whatever it would be given to parse. No frame's fault.
    #[error("the parser does not start: {0}")]
    Start(String),
    /// The answer is not what the contract asks for; the frame at fault, where it is known.
    #[error("the parser's answer breaks the contract: {what}")]
    Contract { what: String, frame: Option<u32> },
}

impl Breach {
    /// A short name for metrics and reports.
    pub const fn kind(&self) -> &'static str {
        match self {
            Breach::Trap(_) => "trap",
            Breach::Deadline => "deadline",
            Breach::Fuel => "fuel",
            Breach::Memory { .. } => "memory",
            Breach::Output { .. } | Breach::Answer { .. } => "output",
            Breach::Start(_) => "start",
            Breach::Contract { .. } => "contract",
        }
    }
}

/// What cannot be blamed on a parser.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error("cannot set up the WebAssembly engine; this machine may lack memory address space (ulimit -v)")]
    Setup(#[source] wasmtime::Error),
    #[error("cannot make an instance of the parser {parser}; there may be too little memory")]
    Instantiate {
        parser: String,
        #[source]
        source: wasmtime::Error,
    },
    #[error(transparent)]
    Component(#[from] ComponentError),
}

/// What stands in an instance's store: the limiter and what it saw.
struct Guard {
    memory_limit: usize,
    memory_used: usize,
    denied: bool,
}

impl ResourceLimiter for Guard {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = desired <= self.memory_limit;
        if allowed {
            self.memory_used = desired;
        } else {
            self.denied = true;
        }
        Ok(allowed)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= 10_000)
    }
}

/// A live instance of a parser.
pub(crate) struct Instance {
    store: Store<Guard>,
    bindings: contract::Parser,
    fuelled: bool,
}

/// The engines, and where compiled code is kept.
pub struct Sandbox {
    timed: Engine,
    fuelled: OnceLock<Engine>,
    cache: Option<PathBuf>,
    /// Whether it was said that the cache cannot be used.
    told: std::sync::atomic::AtomicBool,
    memory_bytes: u64,
    stop: Arc<std::sync::atomic::AtomicBool>,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Sandbox").field("cache", &self.cache).finish_non_exhaustive()
    }
}

fn configuration(fuel: bool, memory_bytes: u64) -> Config {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(INSTANCES)
        .total_core_instances(INSTANCES * 4)
        .total_memories(INSTANCES)
        .total_tables(INSTANCES * 4)
        .max_memories_per_component(1)
        .max_component_instance_size(1 << 20)
        .max_memory_size(usize::try_from(memory_bytes).unwrap_or(usize::MAX));
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .concurrency_support(false)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .epoch_interruption(!fuel)
        .consume_fuel(fuel);
    config
}

impl Sandbox {
    /// Sets up the engine. `cache` is a folder of ours for compiled code; `memory_bytes` is the most that any parser
    /// may be granted.
    ///
    /// # Errors
    /// When the machine refuses the address space for the pool.
    pub fn new(cache: Option<PathBuf>, memory_bytes: u64) -> Result<Arc<Self>, EngineError> {
        let timed = Engine::new(&configuration(false, memory_bytes)).map_err(EngineError::Setup)?;
        let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let (engine, stopped) = (timed.weak(), stop.clone());
        std::thread::Builder::new()
            .name("epoch".to_owned())
            .spawn(move || {
                while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
                    std::thread::sleep(TICK);
                    let Some(engine) = engine.upgrade() else { return };
                    engine.increment_epoch();
                }
            })
            .map_err(|error| EngineError::Setup(error.into()))?;
        Ok(Arc::new(Sandbox {
            timed,
            fuelled: OnceLock::new(),
            cache,
            told: false.into(),
            memory_bytes,
            stop,
        }))
    }

    /// The engine that counts fuel, made when first needed.
    fn fuelled(&self) -> Result<&Engine, EngineError> {
        if self.fuelled.get().is_none() {
            let engine = Engine::new(&configuration(true, self.memory_bytes)).map_err(EngineError::Setup)?;
            let _ = self.fuelled.set(engine);
        }
        self.fuelled.get().ok_or_else(|| EngineError::Setup(wasmtime::Error::msg("no engine")))
    }

    /// Compiles a component, or loads it compiled, and checks that it asks for nothing and offers the contract.
    ///
    /// # Errors
    /// Names the import or what else is wrong.
    pub fn load(
        self: &Arc<Self>,
        file: ComponentFile,
        limits: Limits,
    ) -> Result<Arc<CompiledParser>, EngineError> {
        let timed = self.prepare(&self.timed, &file)?;
        Ok(Arc::new(CompiledParser {
            sandbox: self.clone(),
            file,
            limits,
            timed,
            fuelled: OnceLock::new(),
            idle: Mutex::new(Vec::new()),
        }))
    }

    fn prepare(&self, engine: &Engine, file: &ComponentFile) -> Result<ParserPre<Guard>, ComponentError> {
        let path = || file.path.clone();
        let component = self.compile(engine, file)?;
        if let Some((import, _)) = component.component_type().imports(engine).next() {
            return Err(ComponentError::Import { path: path(), import: import.to_owned() });
        }
        let instance = Linker::new(engine)
            .instantiate_pre(&component)
            .map_err(|error| ComponentError::Export { path: path(), source: error.into_boxed_dyn_error() })?;
        ParserPre::new(instance)
            .map_err(|error| ComponentError::Export { path: path(), source: error.into_boxed_dyn_error() })
    }

    fn compile(&self, engine: &Engine, file: &ComponentFile) -> Result<Component, ComponentError> {
        let failed = |error: wasmtime::Error| ComponentError::Compile {
            path: file.path.clone(),
            source: error.into_boxed_dyn_error(),
        };
        let Some(cached) = self.cache_path(engine, &file.digest) else {
            return Component::new(engine, &file.bytes).map_err(failed);
        };
        if let Some(component) = load_compiled(engine, &cached) {
            return Ok(component);
        }
        let component = Component::new(engine, &file.bytes).map_err(failed)?;
        let code = component.serialize().map_err(failed)?;
        if let Err(error) = store_compiled(&cached, &code) {
            // Compiling again next time is all that is lost; it is told once, not for each parser.
            if !self.told.swap(true, std::sync::atomic::Ordering::Relaxed) {
                let folder = cached.parent().unwrap_or(&cached).display();
                tracing::warn!(%folder, %error, "cannot keep compiled code: each start compiles all parsers");
            }
        }
        Ok(component)
    }

    /// Named by the component's digest and by everything that code generation depends on.
    fn cache_path(&self, engine: &Engine, digest: &str) -> Option<PathBuf> {
        let mut compatibility = DigestHasher(blake3::Hasher::new());
        std::hash::Hash::hash(&engine.precompile_compatibility_hash(), &mut compatibility);
        let compatibility = compatibility.0.finalize().to_hex();
        Some(self.cache.as_ref()?.join(format!("{digest}-{}.cwasm", compatibility.get(..16)?)))
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

/// `std`'s hasher may change between releases; a file name must not.
struct DigestHasher(blake3::Hasher);
impl std::hash::Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
    fn finish(&self) -> u64 {
        0
    }
}

fn load_compiled(engine: &Engine, path: &Path) -> Option<Component> {
    if !path.exists() || !is_private(path.parent()?) {
        return None;
    }
    #[expect(
        unsafe_code,
        reason = "compiled code is native code: it is only loaded from a folder that no other user can write"
    )]
    let loaded = unsafe { Component::deserialize_file(engine, path) };
    match loaded {
        Ok(component) => Some(component),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "compiled code is unusable and will be made again");
            None
        }
    }
}

fn store_compiled(path: &Path, code: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    create_private(folder)?;
    if !is_private(folder) {
        // It is not made private here: what lies in it already would then be trusted.
        return Err(std::io::Error::new(
            std::io::ErrorKind::PermissionDenied,
            "the folder is not ours alone: another user owns it or can write it; point `parsers.cache` elsewhere, or remove it",
        ));
    }
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    std::io::Write::write_all(&mut file, code)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Whether only the folder's owner may write into it, and we are the owner.
#[cfg(unix)]
fn is_private(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(folder).is_ok_and(|metadata| {
        metadata.mode() & 0o022 == 0 && metadata.uid() == rustix::process::geteuid().as_raw()
    })
}

#[cfg(unix)]
fn create_private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// A parser ready to run.
pub struct CompiledParser {
    sandbox: Arc<Sandbox>,
    file: ComponentFile,
    limits: Limits,
    timed: ParserPre<Guard>,
    fuelled: OnceLock<ParserPre<Guard>>,
    idle: Mutex<Vec<Instance>>,
}

impl std::fmt::Debug for CompiledParser {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("CompiledParser")
            .field("name", &self.file.manifest.name)
            .finish_non_exhaustive()
    }
}

impl CompiledParser {
    /// The component file it was made from.
    pub fn file(&self) -> &ComponentFile {
        &self.file
    }

    /// The limits it runs under.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Takes an idle instance, or makes one.
    fn checkout(&self) -> Result<Result<Instance, Breach>, EngineError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(instance) => Ok(Ok(instance)),
            None => self.instantiate(&self.timed, &self.sandbox.timed, false),
        }
    }

    fn instantiate(
        &self,
        prepared: &ParserPre<Guard>,
        engine: &Engine,
        fuelled: bool,
    ) -> Result<Result<Instance, Breach>, EngineError> {
        let failed = |source| EngineError::Instantiate { parser: self.file.manifest.name.clone(), source };
        let memory_limit =
            usize::try_from(self.limits.memory_bytes.min(self.sandbox.memory_bytes)).unwrap_or(usize::MAX);
        let mut store = Store::new(engine, Guard { memory_limit, memory_used: 0, denied: false });
        store.limiter(|guard| guard);
        if fuelled {
            store.set_fuel(self.limits.fuel).map_err(failed)?;
        } else {
            store.set_epoch_deadline(ticks(self.limits.deadline));
        }
        match prepared.instantiate(&mut store) {
            Ok(bindings) => Ok(Ok(Instance { store, bindings, fuelled })),
            // A start that traps or never ends, and a memory that begins too large, are the parser's own.
            Err(error) => match error.downcast_ref::<Trap>() {
                Some(trap) => Ok(Err(Breach::Start(trap.to_string()))),
                None if store.data().denied => {
                    Ok(Err(Breach::Start(format!("its memory begins above {memory_limit} bytes"))))
                }
                None => Err(failed(error)),
            },
        }
    }

    /// Runs one batch against the clock. The outer error is the machine's, the inner one the parser's.
    ///
    /// # Errors
    /// When no instance can be made.
    pub fn run_timed(
        &self,
        batch: &Batch<'_>,
        deadline: Duration,
    ) -> Result<Result<Parsed, Breach>, EngineError> {
        let mut instance = match self.checkout()? {
            Ok(instance) => instance,
            Err(breach) => return Ok(Err(breach)),
        };
        instance.store.set_epoch_deadline(ticks(deadline));
        let answer = self.call(&mut instance, batch);
        if answer.is_ok() {
            self.check_in(instance);
        }
        Ok(answer)
    }

    /// Runs one frame alone in a fresh instance, counted in fuel.
    ///
    /// # Errors
    /// When no instance can be made.
    pub(crate) fn run_fuelled(&self, batch: &Batch<'_>) -> Result<Result<Parsed, Breach>, EngineError> {
        let engine = self.sandbox.fuelled()?;
        if self.fuelled.get().is_none() {
            let _ = self.fuelled.set(self.sandbox.prepare(engine, &self.file)?);
        }
        let Some(prepared) = self.fuelled.get() else {
            return Err(EngineError::Setup(wasmtime::Error::msg("no compiled code")));
        };
        let mut instance = match self.instantiate(prepared, engine, true)? {
            Ok(instance) => instance,
            Err(breach) => return Ok(Err(breach)),
        };
        let per_byte = self.limits.fuel / 100_000;
        let fuel = self.limits.fuel.saturating_add(per_byte.saturating_mul(batch.frames.len() as u64));
        instance.store.set_fuel(fuel).map_err(EngineError::Setup)?;
        Ok(self.call(&mut instance, batch))
    }

    fn call(&self, instance: &mut Instance, batch: &Batch<'_>) -> Result<Parsed, Breach> {
        let limit = self.output_limit(batch.frames.len());
        // What may be copied out: the documents and what lies beside them. Lists may alias guest memory, so the memory
        // limit alone does not bound the copies.
        let copies = limit.saturating_add(64 * batch.ends.len() as u64).saturating_add(limit / 4 + (4 << 20));
        instance.store.set_hostcall_fuel(usize::try_from(copies).unwrap_or(usize::MAX));
        let parsed = instance
            .bindings
            .weir_parser_parsing()
            .call_parse(&mut instance.store, batch.clone())
            .map_err(|error| self.breach_of(instance, &error, copies))?;
        let bytes = parsed.documents.len() as u64;
        if bytes > limit {
            return Err(Breach::Output { bytes, limit });
        }
        Ok(parsed)
    }

    fn output_limit(&self, input: usize) -> u64 {
        (input as u64).saturating_mul(self.limits.output_factor).saturating_add(self.limits.output_extra)
    }

    fn breach_of(&self, instance: &Instance, error: &wasmtime::Error, copies: u64) -> Breach {
        if instance.store.data().denied {
            return Breach::Memory { limit: self.limits.memory_bytes };
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => Breach::Deadline,
            Some(Trap::OutOfFuel) => Breach::Fuel,
            Some(trap) => Breach::Trap(trap.to_string()),
            // Found while lifting the answer: too much to copy (wasmtime has no type for it that could be asked for),
            // out of bounds lists, bad UTF-8 in strings, unknown cases.
            None => match root_cause(error) {
                what if what.contains("fuel allocated for hostcalls") => Breach::Answer { limit: copies },
                what => Breach::Contract { what, frame: None },
            },
        }
    }

    /// Keeps an instance for the next batch, unless it has grown too large or enough are idle.
    fn check_in(&self, instance: Instance) {
        let watermark = usize::try_from(self.limits.memory_bytes / 4).unwrap_or(usize::MAX).max(8 << 20);
        if instance.fuelled || instance.store.data().memory_used > watermark {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < 4 {
            idle.push(instance);
        }
    }
}

fn root_cause(error: &wasmtime::Error) -> String {
    error.chain().last().map(ToString::to_string).unwrap_or_default()
}

/// At least two: the current epoch may end at once.
fn ticks(deadline: Duration) -> u64 {
    (deadline.as_millis() / TICK.as_millis()) as u64 + 2
}
