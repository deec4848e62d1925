//! Faults, throttles and latencies: set by a test, and the same for the same seed and order of calls.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::call::Service;
use crate::error::AwsError;
use crate::policy::glob_matches;

/// Which calls something is about. Absent fields match all; strings may have `*` and `?`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Selector {
    /// E.g. `s3`, `s3control`, `organizations`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// E.g. `PutBucketReplication`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The calling account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The path of the request, e.g. `/my-bucket*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// What a selector is held against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point<'a> {
    pub(crate) service: Service,
    pub(crate) operation: &'a str,
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
    pub(crate) path: &'a str,
}

impl Selector {
    fn matches(&self, point: Point<'_>) -> bool {
        let fits = |wanted: &Option<String>, value: &str| {
            wanted.as_deref().is_none_or(|glob| glob_matches(glob, value))
        };
        fits(&self.service, point.service.name())
            && fits(&self.operation, point.operation)
            && fits(&self.account, point.account)
            && fits(&self.region, point.region)
            && fits(&self.path, point.path)
    }
}

/// A fault: calls that match and are due fail.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Fault {
    #[serde(flatten)]
    pub calls: Selector,
    /// The first matching call to fail, from 1, counted since the fault was set.
    #[serde(default = "one")]
    pub nth: u64,
    /// How many calls fail from there; absent for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// Of the due calls, the share that fails; drawn from the seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// The error code, e.g. `OperationAborted`.
    pub code: String,
    #[serde(default = "bad_request")]
    pub status: u16,
    #[serde(default)]
    pub message: String,
    /// Whether the call is carried out and only its answer is the error.
    #[serde(default)]
    pub after: bool,
    #[serde(skip)]
    seen: u64,
}

/// A throttle: a bucket of tokens, one for all or one for each account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Throttle {
    #[serde(flatten)]
    pub calls: Selector,
    /// Tokens per second of the fake's clock.
    pub rate: f64,
    /// Tokens of a full bucket.
    pub burst: f64,
    /// One bucket of tokens for each calling account and region instead of one for all.
    #[serde(default)]
    pub per_account: bool,
    #[serde(skip)]
    buckets: HashMap<String, (f64, i64)>,
}

/// A latency of matching calls, in real milliseconds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Latency {
    #[serde(flatten)]
    pub calls: Selector,
    pub base_ms: u64,
    /// Up to this is added, drawn from the seed.
    #[serde(default)]
    pub jitter_ms: u64,
}

fn one() -> u64 {
    1
}

fn bad_request() -> u16 {
    400
}

/// All that a test may set.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    pub faults: Vec<Fault>,
    pub throttles: Vec<Throttle>,
    /// The first that matches holds.
    pub latencies: Vec<Latency>,
    /// Once this many writes have been accepted, the fake answers nothing more until faults are set anew: whoever is
    /// killed meanwhile has written just these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold_after_writes: Option<usize>,
}

/// What becomes of a call.
#[derive(Debug)]
pub(crate) enum Fate {
    Pass,
    /// Not carried out.
    Fail(AwsError),
    /// Carried out, but answered with an error.
    FailAfter(AwsError),
}

impl Faults {
    /// Decides over a call, and counts it.
    pub(crate) fn judge(&mut self, point: Point<'_>, now_ms: i64, random: &mut fastrand::Rng) -> Fate {
        let mut fate = Fate::Pass;
        for fault in &mut self.faults {
            if !fault.calls.matches(point) {
                continue;
            }
            fault.seen += 1;
            let due =
                fault.seen >= fault.nth && fault.times.is_none_or(|times| fault.seen < fault.nth + times);
            let drawn = due && fault.probability.is_none_or(|share| random.f64() < share);
            if drawn && matches!(fate, Fate::Pass) {
                let message = if fault.message.is_empty() { "a fault of the fake" } else { &fault.message };
                let error = AwsError::new(fault.status, &fault.code, message);
                fate = if fault.after { Fate::FailAfter(error) } else { Fate::Fail(error) };
            }
        }
        if matches!(fate, Fate::Fail(_)) {
            return fate;
        }
        for throttle in &mut self.throttles {
            if throttle.calls.matches(point) && !throttle.take(point, now_ms) {
                return Fate::Fail(throttled(point.service));
            }
        }
        fate
    }

    /// How long a call takes.
    pub(crate) fn latency_ms(&self, point: Point<'_>, random: &mut fastrand::Rng) -> u64 {
        self.latencies
            .iter()
            .find(|latency| latency.calls.matches(point))
            .map_or(0, |latency| latency.base_ms + random.u64(0..=latency.jitter_ms))
    }
}

impl Throttle {
    fn take(&mut self, point: Point<'_>, now_ms: i64) -> bool {
        let key =
            if self.per_account { format!("{}/{}", point.account, point.region) } else { String::new() };
        let (tokens, at) = self.buckets.entry(key).or_insert((self.burst, now_ms));
        let passed = (now_ms - *at).max(0) as f64 / 1_000.0;
        *tokens = (*tokens + passed * self.rate).min(self.burst);
        *at = now_ms;
        if *tokens < 1.0 {
            return false;
        }
        *tokens -= 1.0;
        true
    }
}

/// How each service says that it is called too often.
fn throttled(service: Service) -> AwsError {
    match service {
        Service::Organizations => AwsError::new(
            400,
            "TooManyRequestsException",
            "AWS Organizations can't complete your request because another request is already in progress. Try again later.",
        )
        .field("Type", "RATE_LIMIT"),
        Service::Sts | Service::Iam => AwsError::new(400, "Throttling", "Rate exceeded"),
        Service::Kms => AwsError::new(400, "ThrottlingException", "Rate exceeded"),
        Service::Sqs => AwsError::new(400, "RequestThrottled", "Request is throttled."),
        Service::S3 | Service::S3Control => {
            AwsError::new(503, "SlowDown", "Please reduce your request rate.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(account: &str) -> Point<'_> {
        Point {
            service: Service::S3,
            operation: "PutBucketReplication",
            account,
            region: "eu-west-1",
            path: "/b",
        }
    }

    fn codes(faults: &mut Faults, account: &str, calls: usize, now_ms: i64) -> Vec<String> {
        let mut random = fastrand::Rng::with_seed(1);
        (0..calls)
            .map(|_| match faults.judge(point(account), now_ms, &mut random) {
                Fate::Pass => "-".to_owned(),
                Fate::Fail(error) => error.code,
                Fate::FailAfter(error) => format!("after {}", error.code),
            })
            .collect()
    }

    #[test]
    fn the_nth_call_of_an_operation_in_an_account_fails() {
        let text = r#"{"faults":[{"service":"s3","operation":"PutBucket*","account":"1","nth":2,"times":2,"code":"A","status":409}]}"#;
        let mut faults: Faults = serde_json::from_str(text).unwrap();
        assert_eq!(codes(&mut faults, "2", 2, 0), ["-", "-"]);
        assert_eq!(codes(&mut faults, "1", 4, 0), ["-", "A", "A", "-"]);
    }

    #[test]
    fn a_throttle_refills_with_the_clock_and_counts_each_account() {
        let text = r#"{"throttles":[{"service":"s3","rate":1.0,"burst":2.0,"per_account":true}]}"#;
        let mut faults: Faults = serde_json::from_str(text).unwrap();
        assert_eq!(codes(&mut faults, "1", 3, 0), ["-", "-", "SlowDown"]);
        assert_eq!(codes(&mut faults, "2", 1, 0), ["-"]);
        assert_eq!(codes(&mut faults, "1", 2, 1_000), ["-", "SlowDown"]);
    }

    #[test]
    fn a_late_fault_is_told_after_the_deed() {
        let text = r#"{"faults":[{"times":1,"code":"InternalError","status":500,"after":true}]}"#;
        let mut faults: Faults = serde_json::from_str(text).unwrap();
        assert_eq!(codes(&mut faults, "1", 2, 0), ["after InternalError", "-"]);
    }
}
