//! `weir accounts backfill`: objects from before, as jobs that somebody confirms.

use super::context::Context;
use super::{CONVERGED, FAILED, STOPPED, Shared, view};
use crate::audit::{Audit, AuditLine, Outcome};
use crate::aws::S3Control;
use crate::backfill::Job;
use crate::discover::{Entrance, NoEntry};
use crate::ids::{AccountId, BucketName};
use crate::inventory::Failure;
use crate::plan;
use anyhow::bail;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only this bucket; may be repeated
    #[arg(long = "bucket")]
    buckets: Vec<BucketName>,
    /// Objects that are counted in a bucket at most, a call per thousand
    #[arg(long, default_value_t = 100_000)]
    count: u64,
    /// Create the jobs; each then waits in the S3 console until somebody confirms it
    #[arg(long)]
    create: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Print the jobs as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: &Arguments, shared: &Shared) -> anyhow::Result<u8> {
    let context = Context::open(shared, !arguments.json).await?;
    if !context.desired.replication.existing_objects {
        bail!(
            "the replication roles may not take part in S3 Batch Replication; set `existing-objects = true` in [replication] of accounts.toml and run `weir accounts apply` first"
        );
    }
    let inventory = context.inventory().await?;
    let plan = plan::build(&inventory, &context.desired);
    let mut jobs = Job::of(&plan);
    jobs.retain(|job| arguments.buckets.is_empty() || arguments.buckets.contains(&job.bucket));
    let entrance = Entrance::new(&context.connection, &context.desired, &inventory.caller);
    let mut failures: Vec<(AccountId, Failure)> = Vec::new();
    context.progress.begin("counting objects", jobs.len());
    for job in &mut jobs {
        context.progress.advance(job.bucket.as_str());
        match entrance.enter(&job.account).await {
            Ok((session, _)) => match job.count(&session, arguments.count).await {
                Ok(counted) => job.estimate(&context.desired, counted),
                Err(error) => failures.push((job.account.clone(), error.failure())),
            },
            Err(NoEntry::Failed(failure)) => failures.push((job.account.clone(), failure)),
            Err(NoEntry::Stop(error)) => return Err(error.into()),
        }
    }
    context.progress.finish();
    if arguments.json {
        view::print_json(&jobs)?;
    } else {
        view::jobs(&jobs)?;
    }
    if arguments.create && !jobs.is_empty() {
        let question = format!("Create {} jobs, each to be confirmed before it runs?", jobs.len());
        if !arguments.yes && !view::confirmed(&question)? {
            eprintln!("nothing was written");
            return Ok(STOPPED);
        }
        create(&entrance, shared, &jobs, &mut failures).await?;
    }
    view::failures(&failures);
    Ok(if failures.is_empty() { CONVERGED } else { FAILED })
}

async fn create(
    entrance: &Entrance<'_>,
    shared: &Shared,
    jobs: &[Job],
    failures: &mut Vec<(AccountId, Failure)>,
) -> anyhow::Result<()> {
    std::fs::create_dir_all(&shared.data)?;
    let audit = Audit::open(&shared.data)?;
    let clock = entrance.connection.clock();
    for job in jobs {
        let session = match entrance.enter(&job.account).await {
            Ok((session, _)) => session,
            Err(NoEntry::Failed(failure)) => {
                failures.push((job.account.clone(), failure));
                continue;
            }
            Err(NoEntry::Stop(error)) => return Err(error.into()),
        };
        let answer = session.s3control().create_job(job).await;
        let line = AuditLine {
            time: clock.now(),
            run: "backfill".into(),
            caller: entrance.caller.arn.to_string(),
            account: job.account.clone(),
            region: job.region.clone(),
            service: "s3control".into(),
            operation: "CreateJob".into(),
            resource: job.bucket.to_string(),
            before: None,
            after: answer.as_ref().ok().cloned(),
            outcome: match &answer {
                Ok(_) => Outcome::Done,
                Err(error) => Outcome::Failed { code: error.code_of_report(), text: error.to_string() },
            },
        };
        audit.add(&line).await?;
        match answer {
            Ok(id) => eprintln!("{} {}: job {id} waits to be confirmed", job.account, job.bucket),
            Err(error) => failures.push((job.account.clone(), error.failure())),
        }
    }
    Ok(())
}
