//! A world of 1,000 accounts in 4 regions.

use std::sync::Arc;

use aws_types::SdkConfig;
use weir_aws_fake::builder::{Blueprint, Layout, log_bucket, member};

use crate::support::{Fake, code, s3};

const REGIONS: [&str; 4] = ["eu-west-1", "eu-central-1", "us-east-1", "us-west-2"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_accounts_are_read_concurrently() {
    let blueprint = Blueprint {
        accounts: 1_000,
        units: 20,
        regions: REGIONS.map(str::to_owned).to_vec(),
        foreign_rule_every: 5,
        ..Blueprint::default()
    };
    let fake = Arc::new(Fake::start(blueprint.build().unwrap()).await);
    let organizations = aws_sdk_organizations::Client::new(&fake.management());
    let mut pages = organizations.list_accounts().into_paginator().send();
    let mut accounts = 0;
    while let Some(page) = pages.next().await {
        accounts += page.unwrap().accounts().len();
    }
    assert_eq!(accounts, 1_002);
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..16 {
        let fake = Arc::clone(&fake);
        workers.spawn(async move {
            for index in (worker..1_000).step_by(16) {
                let base = fake.member(&member(index)).await;
                for region in REGIONS {
                    let config: SdkConfig =
                        base.to_builder().region(aws_types::region::Region::new(region)).build();
                    let client = s3(&config);
                    let bucket = log_bucket(&member(index), region, Layout::AwsLogs);
                    assert_eq!(code(&client.get_bucket_versioning().bucket(&bucket).send().await), "ok");
                    let replication = code(&client.get_bucket_replication().bucket(&bucket).send().await);
                    let expected =
                        if (index + 1) % 5 == 0 { "ok" } else { "ReplicationConfigurationNotFoundError" };
                    assert_eq!(replication, expected);
                }
            }
        });
    }
    while let Some(done) = workers.join_next().await {
        done.unwrap();
    }
    let requests = fake.control("GET", "requests", "").await;
    assert_eq!(requests["by_operation"]["s3:GetBucketVersioning"]["calls"], 4_000);
    assert_eq!(requests["by_operation"]["sts:AssumeRole"]["calls"], 1_000);
}
