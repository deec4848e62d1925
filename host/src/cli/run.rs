//! `weir run`: watch the sources, serve search and metrics, until told to stop.

use super::ingest::data_folder;
use crate::host::{Host, HostError};
use crate::serve::{Metrics, Service, router};
use crate::store::Store;
use crate::watch::Watch;
use anyhow::Context;
use std::io::{Write, stdout};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Watch the configured sources and serve `/api/search`, `/metrics`, `/healthz` and `/readyz`.
///
/// Files are read when they are complete; those of a source with `follow = true` as they grow and rotate. A changed
/// component file is put in force without a restart. SIGINT and SIGTERM end it cleanly.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  weir run\n  WEIR__SERVE__LISTEN=127.0.0.1:8080 weir run -v\n  curl 'http://127.0.0.1:7413/api/search?q=event.outcome:failure&limit=5'"
)]
pub(super) struct Arguments {
    /// The data folder, instead of the configuration's
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Runs the command.
pub(super) fn run(
    arguments: &Arguments,
    open: impl FnOnce() -> Result<Host, HostError>,
) -> anyhow::Result<()> {
    let host = open()?;
    let store = Store::open(&host.config, &data_folder(&host.config, arguments.data.as_deref()))?;
    let address = host.config.serve.address()?;
    let metrics = Arc::new(Metrics::default());
    let service = Arc::new(Service {
        index: store.index().cloned(),
        metrics: metrics.clone(),
        ready: AtomicBool::new(false),
        token: host.config.serve.token.clone(),
    });
    let stop = AtomicBool::new(false);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind(address))
        .with_context(|| format!("cannot listen on {address}; set `serve.listen` to a free port"))?;
    let address = listener.local_addr()?;
    // Whoever started it may have closed its output; that ends no service.
    let _ = writeln!(stdout(), "listening on http://{address}");
    std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let outcome = Watch::new(&host, &store, metrics).run(&stop, &service.ready);
            // A watch that fails ends the service: a process that no longer reads must not look healthy.
            stop.store(true, Ordering::Relaxed);
            outcome
        });
        let served = runtime.block_on(async {
            let stopped = async {
                tokio::select! {
                    () = signalled() => {}
                    () = until(&stop) => {}
                }
            };
            tokio::select! {
                served = axum::serve(listener, router(service.clone())) => served,
                () = stopped => Ok(()),
            }
        });
        stop.store(true, Ordering::Relaxed);
        let watched =
            watching.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the watch ended unexpectedly")));
        served.context("the HTTP service ended")?;
        watched
    })
}

async fn until(flag: &AtomicBool) {
    while !flag.load(Ordering::Relaxed) {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

async fn signalled() {
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}
