//! `[[source]]`: which buckets of a member hold logs, and what their keys look like.

use crate::glob;
use crate::ids::{AccountId, BucketName, Region};
use serde::{Deserialize, Serialize};

/// `[[source]]`; the first that fits a bucket decides.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SourceSettings {
    /// Bucket names, with `*`, `?`, `{account}` and `{region}`.
    pub buckets: Vec<String>,
    /// Only in these Regions; empty means all that have a destination.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<Region>,
    /// What the keys look like.
    #[serde(default)]
    pub layout: LayoutKind,
    /// What comes before the layout's own part of the key. `{account}`, `{region}` and `{bucket}` are filled in.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// Only these logs; empty means all under the layout's prefix.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<LogService>,
    /// Time control for these buckets; none means as in `[replication]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_control: Option<bool>,
}

/// How keys are laid out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayoutKind {
    /// `[prefix]AWSLogs/ACCOUNT/…`: CloudTrail, VPC flow logs, load balancers, Config, WAF, Route 53 Resolver.
    #[default]
    AwsLogs,
    /// `[prefix]AWSLogs/o-…/ACCOUNT/…`: the trail of an organization, in the bucket of one account.
    OrganizationTrail,
    /// S3 server access logs: `[prefix]YYYY-mm-DD-HH-MM-SS-…`.
    S3AccessLogs,
    /// S3 server access logs with date-based partitioning: `[prefix]ACCOUNT/REGION/BUCKET/YYYY/MM/DD/…`.
    S3AccessLogsPartitioned,
    /// AWS WAF, delivered to a bucket `aws-waf-logs-…`: `[prefix]AWSLogs/ACCOUNT/WAFLogs/…`.
    Waf,
    /// Amazon Data Firehose: `[prefix]YYYY/MM/DD/HH/…`.
    Firehose,
    /// Anything else; `prefix` says where the account is.
    Custom,
}

impl LayoutKind {
    /// As accounts.toml writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            LayoutKind::AwsLogs => "aws-logs",
            LayoutKind::OrganizationTrail => "organization-trail",
            LayoutKind::S3AccessLogs => "s3-access-logs",
            LayoutKind::S3AccessLogsPartitioned => "s3-access-logs-partitioned",
            LayoutKind::Waf => "waf",
            LayoutKind::Firehose => "firehose",
            LayoutKind::Custom => "custom",
        }
    }

    /// Whether keys have folders by service after the account.
    fn has_services(self) -> bool {
        self == LayoutKind::AwsLogs
    }
}

/// Services that deliver under `AWSLogs/ACCOUNT/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogService {
    Cloudtrail,
    CloudtrailDigest,
    CloudtrailInsight,
    Config,
    LoadBalancers,
    VpcFlowLogs,
    Waf,
    Route53Resolver,
    NetworkFirewall,
    Guardduty,
    GlobalAccelerator,
    Cloudfront,
}

impl LogService {
    pub const ALL: [LogService; 12] = [
        LogService::Cloudtrail,
        LogService::CloudtrailDigest,
        LogService::CloudtrailInsight,
        LogService::Config,
        LogService::LoadBalancers,
        LogService::VpcFlowLogs,
        LogService::Waf,
        LogService::Route53Resolver,
        LogService::NetworkFirewall,
        LogService::Guardduty,
        LogService::GlobalAccelerator,
        LogService::Cloudfront,
    ];

    /// The folder after `AWSLogs/ACCOUNT/`, as each service's documentation has it.
    pub fn folder(self) -> &'static str {
        match self {
            LogService::Cloudtrail => "CloudTrail/",
            LogService::CloudtrailDigest => "CloudTrail-Digest/",
            LogService::CloudtrailInsight => "CloudTrail-Insight/",
            LogService::Config => "Config/",
            LogService::LoadBalancers => "elasticloadbalancing/",
            LogService::VpcFlowLogs => "vpcflowlogs/",
            LogService::Waf => "WAFLogs/",
            LogService::Route53Resolver => "vpcdnsquerylogs/",
            LogService::NetworkFirewall => "network-firewall/",
            LogService::Guardduty => "GuardDuty/",
            LogService::GlobalAccelerator => "globalaccelerator/",
            LogService::Cloudfront => "CloudFront/",
        }
    }
}

impl SourceSettings {
    /// Whether these settings are for the bucket.
    pub fn covers(&self, account: &AccountId, bucket: &BucketName, region: &Region) -> bool {
        self.covers_name(account, bucket, Some(region))
            && (self.regions.is_empty() || self.regions.contains(region))
    }

    /// Whether the name fits. Before a bucket's Region is known, `{region}` fits anything.
    pub fn covers_name(&self, account: &AccountId, bucket: &BucketName, region: Option<&Region>) -> bool {
        self.buckets.iter().any(|pattern| {
            let pattern = pattern
                .replace("{account}", account.as_str())
                .replace("{region}", region.map_or("*", Region::as_str));
            glob::matches(&pattern, bucket.as_str())
        })
    }

    pub(super) fn check(&self) -> Result<(), (String, String)> {
        if self.buckets.is_empty() {
            return Err((
                "buckets".into(),
                "no bucket is named; write names or patterns, such as [\"*-logs-*\"]".into(),
            ));
        }
        for pattern in &self.buckets {
            let plain = pattern.replace("{account}", "").replace("{region}", "");
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b".-_*?".contains(&byte);
            if pattern.is_empty() || !plain.bytes().all(is_name) {
                return Err((
                    "buckets".into(),
                    format!(
                        "`{pattern}` names no bucket; use letters, digits, `.-_`, `*`, `?`, {{account}} and {{region}}"
                    ),
                ));
            }
        }
        if let Some(unknown) = unknown_placeholder(&self.prefix) {
            return Err((
                "prefix".into(),
                format!("`{unknown}` is not known; use {{account}}, {{region}} or {{bucket}}"),
            ));
        }
        if self.prefix.starts_with('/') || self.prefix.contains(['*', '?', '$']) {
            return Err((
                "prefix".into(),
                format!(
                    "`{}` is no prefix of keys; leave out a `/` at the start and `*`, `?`, `$`",
                    self.prefix
                ),
            ));
        }
        if self.layout == LayoutKind::Custom && self.prefix.is_empty() {
            return Err((
                "prefix".into(),
                "the layout `custom` needs one; write where the account is, such as \"logs/{account}/\""
                    .into(),
            ));
        }
        if !self.services.is_empty() && !self.layout.has_services() {
            return Err((
                "services".into(),
                format!(
                    "the layout `{}` has no folders by service; take `services` away, or use the layout `aws-logs`",
                    self.layout.as_str()
                ),
            ));
        }
        Ok(())
    }
}

/// The first `{…}` that is not ours, or an unpaired brace.
fn unknown_placeholder(text: &str) -> Option<String> {
    let plain = text.replace("{account}", "").replace("{region}", "").replace("{bucket}", "");
    let start = plain.find(['{', '}'])?;
    let rest = plain.get(start..)?;
    Some(rest.split_inclusive('}').next().unwrap_or(rest).to_owned())
}
