//! Names that AWS logs share.

use crate::{Event, ecs};

/// The parts of an Amazon Resource Name: `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arn<'a> {
    /// `aws`, `aws-cn`, `aws-us-gov`
    pub partition: &'a str,
    /// `elasticloadbalancing`
    pub service: &'a str,
    /// `eu-west-1`; global resources have none.
    pub region: Option<&'a str>,
    /// Twelve digits; some resources have none.
    pub account: Option<&'a str>,
    /// All that follows, colons included: `targetgroup/web/0123456789abcdef`.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Splits an ARN; `None` if the text is none.
    #[inline]
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.strip_prefix("arn:")?.splitn(5, ':');
        let partition = parts.next()?;
        let service = parts.next()?;
        let region = parts.next()?;
        let account = parts.next()?;
        let resource = parts.next()?;
        Some(Arn {
            partition,
            service,
            region: (!region.is_empty()).then_some(region),
            account: is_account(account).then_some(account),
            resource,
        })
    }
}

/// Whether a text is an AWS account id: twelve digits.
#[inline]
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a text has the form of a region's name: `eu-west-1`, `us-gov-east-1`, `ap-southeast-2`.
pub fn is_region(text: &str) -> bool {
    let mut parts = text.split('-');
    let letters = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    let area = parts.next().is_some_and(|part| (2..=4).contains(&part.len()) && letters(part));
    let Some(number) = parts.next_back() else { return false };
    area && text.len() <= 20
        && matches!(number.as_bytes(), [b'1'..=b'9'] | [b'1'..=b'9', b'0'..=b'9'])
        && parts.clone().next().is_some()
        && parts.all(letters)
}

/// Sets `cloud.provider` and `cloud.instance.id` where the CloudWatch log stream is named by an instance, as the agent
/// names it unless told otherwise.
pub fn set_instance(event: &mut Event<'_>) {
    let instance = event.context().origin.log_stream.as_deref().and_then(instance_id);
    if let Some(instance) = instance {
        event.set(ecs::CLOUD_PROVIDER, "aws");
        event.set(ecs::CLOUD_INSTANCE_ID, instance);
    }
}

/// `i-` and 8 or 17 hexadecimal digits.
fn instance_id(log_stream: &str) -> Option<&str> {
    let id = log_stream.split(['/', '_', '.']).find(|part| part.starts_with("i-"))?;
    let hex = id.get(2..)?;
    (matches!(hex.len(), 8 | 17) && hex.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_are_split() {
        let arn =
            Arn::parse("arn:aws-cn:elasticloadbalancing:cn-north-1:111122223333:targetgroup/web:8/0a1b")
                .unwrap();
        assert_eq!(
            (arn.partition, arn.region, arn.account),
            ("aws-cn", Some("cn-north-1"), Some("111122223333"))
        );
        assert_eq!(arn.resource, "targetgroup/web:8/0a1b");
        let global =
            Arn::parse("arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E2AB").unwrap();
        assert_eq!((global.region, global.account), (None, None));
        assert_eq!(Arn::parse("arn:aws:iam::1"), None);
        assert_eq!(Arn::parse(""), None);
    }

    #[test]
    fn regions_have_a_form() {
        for region in ["eu-west-1", "us-gov-east-1", "ap-southeast-2", "us-isob-east-1", "mx-central-1"] {
            assert!(is_region(region), "{region}");
        }
        for other in
            ["s3", "us-east", "eu-1", "a-west-1", "eu-west-x", "EU-west-1", "", "-", "my-bucket-01", "eu--1"]
        {
            assert!(!is_region(other), "{other}");
        }
    }

    #[test]
    fn instances_are_told_by_their_stream() {
        assert_eq!(instance_id("i-0123456789abcdef0"), Some("i-0123456789abcdef0"));
        assert_eq!(instance_id("web/i-0a1b2c3d/secure"), Some("i-0a1b2c3d"));
        assert_eq!(instance_id("i-am-a-host"), None);
        assert_eq!(instance_id("web1"), None);
    }
}
