//! Everything behind the one lock: the world and what a run adds to it.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::auth::Session;
use crate::call::Call;
use crate::clock::Clock;
use crate::faults::Faults;
use crate::replication::Queue;
use crate::world::World;

/// The state of the fake.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) world: World,
    pub(crate) clock: Clock,
    /// Sessions by access key.
    pub(crate) sessions: HashMap<String, Session>,
    /// How many sessions were ever given: part of the next one's key.
    pub(crate) given: u64,
    pub(crate) faults: Faults,
    pub(crate) random: fastrand::Rng,
    /// Replication under way.
    pub(crate) replication: Queue,
    /// Every accepted write, in order.
    pub(crate) writes: Vec<Write>,
    pub(crate) counts: Counts,
}

/// A write that was accepted.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Write {
    pub(crate) number: usize,
    pub(crate) time_ms: i64,
    /// The account that called.
    pub(crate) account: String,
    pub(crate) service: &'static str,
    pub(crate) operation: String,
    pub(crate) region: String,
    /// What was written: a name or an ARN.
    pub(crate) resource: String,
}

/// How many requests there were.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Counts {
    pub(crate) total: u64,
    /// By `SERVICE:OPERATION`.
    pub(crate) by_operation: BTreeMap<String, OperationCounts>,
    /// By calling account.
    pub(crate) by_account: BTreeMap<String, u64>,
}

/// The requests of one operation.
#[derive(Debug, Default, Serialize)]
pub(crate) struct OperationCounts {
    pub(crate) calls: u64,
    /// Errors by code.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) errors: BTreeMap<String, u64>,
}

impl State {
    /// A state of a world whose clock shows the machine's time.
    pub(crate) fn new(world: World) -> Self {
        let random = fastrand::Rng::with_seed(world.settings.seed);
        Self {
            world,
            clock: Clock::now(),
            sessions: HashMap::new(),
            given: 0,
            faults: Faults::default(),
            random,
            replication: Queue::default(),
            writes: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// Whether nothing is answered for now.
    pub(crate) fn is_held(&self) -> bool {
        self.faults.hold_after_writes.is_some_and(|writes| self.writes.len() >= writes)
    }

    /// Notes an accepted write.
    pub(crate) fn wrote(&mut self, call: &Call<'_>, resource: impl Into<String>) {
        self.writes.push(Write {
            number: self.writes.len() + 1,
            time_ms: call.now_ms,
            account: call.account().to_owned(),
            service: call.service.name(),
            operation: call.operation.to_owned(),
            region: call.region.to_owned(),
            resource: resource.into(),
        });
    }

    /// Counts a request and its outcome.
    pub(crate) fn count(&mut self, operation: &str, account: &str, error: Option<&str>) {
        self.counts.total += 1;
        let counts = self.counts.by_operation.entry(operation.to_owned()).or_default();
        counts.calls += 1;
        if let Some(code) = error {
            *counts.errors.entry(code.to_owned()).or_default() += 1;
        }
        if !account.is_empty() {
            *self.counts.by_account.entry(account.to_owned()).or_default() += 1;
        }
    }
}
