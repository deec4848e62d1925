//! What a command needs before it can ask AWS: the file first, then the credentials, then the values.

use super::Shared;
use crate::aws::Sts;
use crate::aws::{Connection, Options};
use crate::desired::Desired;
use crate::discover::{DiscoverError, discover};
use crate::inventory::Inventory;
use crate::progress::Progress;
use anyhow::Context as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The file and the connection.
pub(super) struct Context {
    pub(super) desired: Desired,
    pub(super) connection: Connection,
    pub(super) progress: Progress,
}

impl Context {
    /// Reads accounts.toml, then the credentials, and asks AWS whose they are.
    pub(super) async fn open(shared: &Shared, progress: bool) -> anyhow::Result<Self> {
        let desired = Desired::load(shared.file.as_deref())?;
        let connection = connect(shared, Some(&desired)).await?;
        Ok(Self { desired, connection, progress: Progress::on_terminal(progress) })
    }

    /// Everything that a plan is made from.
    pub(super) async fn inventory(&self) -> anyhow::Result<Inventory> {
        let inventory = discover(&self.connection, &self.desired, &self.progress).await;
        self.progress.finish();
        Ok(inventory?)
    }
}

/// The connection, with credentials that AWS knows.
pub(super) async fn connect(shared: &Shared, desired: Option<&Desired>) -> anyhow::Result<Connection> {
    let limits = desired.map(|desired| &desired.limits);
    // Without a Region of its own, the caller uses that of the first destination: its endpoints are there anyway.
    let fallback = desired.and_then(|desired| desired.destinations.first()).map(|first| first.region.clone());
    let connection = Connection::open(Options {
        profile: shared.profile.clone(),
        region: shared.region.clone(),
        fallback_region: fallback,
        organizations_per_second: limits.map(|limits| limits.organizations_per_second),
        assume_role_per_second: limits.map(|limits| limits.assume_role_per_second),
    })
    .await?;
    let caller = connection.caller(None);
    caller
        .sts()
        .caller_identity()
        .await
        .map_err(DiscoverError::credentials)
        .context("the credentials do not work")?;
    Ok(connection)
}

/// A flag that a signal sets; a second signal ends the process at once.
pub(super) fn stop_on_signal() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            flag.store(true, Ordering::Relaxed);
            eprintln!("stopping: what is under way is finished, and the next run goes on from there");
        }
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(i32::from(super::FAILED));
        }
    });
    stop
}
