//! Names and numbers of AWS, checked where they enter.
//!
//! Contract: whatever holds one of these types holds a well-formed value, so a write never sends an account id, an ARN
//! or a bucket name that AWS would misread. Reading one from JSON or TOML checks it too.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A value that is not what it was given as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not {what}; {expected}")]
pub struct InvalidId {
    value: String,
    what: &'static str,
    expected: &'static str,
}

impl InvalidId {
    fn new(value: &str, what: &'static str, expected: &'static str) -> Self {
        InvalidId { value: value.to_owned(), what, expected }
    }
}

/// Declares a checked name: a string that `is_valid` accepts.
macro_rules! checked_name {
    ($(#[$documentation:meta])* $name:ident, $is_valid:expr, $what:literal, $expected:literal) => {
        $(#[$documentation])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// # Errors
            /// Says what the value should look like.
            pub fn new(value: impl Into<String>) -> Result<Self, InvalidId> {
                let value = value.into();
                let is_valid: fn(&str) -> bool = $is_valid;
                if is_valid(&value) { Ok($name(value)) } else { Err(InvalidId::new(&value, $what, $expected)) }
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(value: String) -> Result<Self, InvalidId> {
                $name::new(value)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(value: &str) -> Result<Self, InvalidId> {
                $name::new(value)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

checked_name!(
    /// An AWS account id.
    AccountId,
    |value| value.len() == 12 && value.bytes().all(|byte| byte.is_ascii_digit()),
    "an AWS account id",
    "write its 12 digits, in quotes"
);
checked_name!(
    /// A Region code, such as `eu-central-1`.
    Region,
    is_region,
    "a Region",
    "write a code such as `eu-central-1`"
);
checked_name!(
    /// The name of a general-purpose bucket. Names of before 2018 in us-east-1 may be longer and hold upper case and `_`.
    BucketName,
    |value| (3..=255).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
        && !value.contains(".."),
    "a bucket name",
    "use 3 to 63 lower-case letters, digits, dots and hyphens"
);
checked_name!(
    /// The name of an IAM role, without its path.
    RoleName,
    |value| (1..=64).contains(&value.len()) && value.bytes().all(is_iam_name_byte),
    "the name of an IAM role",
    "use 1 to 64 letters, digits and `+=,.@_-`, without a path"
);
checked_name!(
    /// The path of an IAM role: `/`, or `/weir/`.
    RolePath,
    |value| value == "/"
        || (value.len() <= 512
            && value.len() > 2
            && value.starts_with('/')
            && value.ends_with('/')
            && value.bytes().all(|byte| byte.is_ascii_graphic())),
    "the path of an IAM role",
    "begin and end it with `/`"
);
checked_name!(
    /// The external ID that a trust policy asks for (STS `AssumeRole`).
    ExternalId,
    |value| (2..=1224).contains(&value.len())
        && value.bytes().all(|byte| is_iam_name_byte(byte) || matches!(byte, b':' | b'/')),
    "an external ID",
    "use 2 to 1224 letters, digits and `+=,.@:/_-`"
);
checked_name!(
    /// The id of an organization.
    OrganizationId,
    |value| has_id_form(value, "o-", 10, 32),
    "the id of an organization",
    "it looks like `o-a1b2c3d4e5`"
);
checked_name!(
    /// The id of an organization's root.
    RootId,
    |value| has_id_form(value, "r-", 4, 32),
    "the id of an organization's root",
    "it looks like `r-a1b2`"
);
checked_name!(
    /// The id of an organizational unit.
    OuId,
    |value| value
        .rsplit_once('-')
        .is_some_and(|(front, back)| has_id_form(front, "ou-", 4, 32) && has_id_form(back, "", 8, 32)),
    "the id of an organizational unit",
    "it looks like `ou-a1b2-c3d4e5f6`"
);
checked_name!(
    /// An Amazon Resource Name: `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`; Region and account may be empty.
    Arn,
    is_arn,
    "an ARN",
    "it looks like `arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE`"
);

fn is_region(value: &str) -> bool {
    let mut parts = value.split('-');
    let geography = parts.next().unwrap_or_default();
    let number = parts.next_back().unwrap_or_default();
    let mut between = 0;
    let words = parts.all(|word| {
        between += 1;
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase())
    });
    (2..=4).contains(&geography.len())
        && geography.bytes().all(|byte| byte.is_ascii_lowercase())
        && words
        && between >= 1
        && (1..=2).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// `[A-Za-z0-9+=,.@_-]`, as IAM's API reference has it for names.
fn is_iam_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'=' | b',' | b'.' | b'@' | b'_' | b'-')
}

fn has_id_form(value: &str, prefix: &str, least: usize, most: usize) -> bool {
    value.strip_prefix(prefix).is_some_and(|rest| {
        (least..=most).contains(&rest.len())
            && rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    })
}

fn is_arn(value: &str) -> bool {
    let mut parts = value.splitn(6, ':');
    let fixed = (parts.next(), parts.next(), parts.next());
    let account = parts.nth(1);
    let resource = parts.next();
    value.len() <= 2048
        && !value.bytes().any(|byte| byte.is_ascii_control() || byte == b' ')
        && matches!(fixed, (Some("arn"), Some(partition), Some(service))
            if partition.starts_with("aws") && !service.is_empty())
        && account
            .is_some_and(|account| account.is_empty() || account == "aws" || AccountId::new(account).is_ok())
        && resource.is_some_and(|resource| !resource.is_empty())
}

impl Region {
    /// The partition that the Region is in, as its name says.
    pub fn partition(&self) -> Partition {
        let geography = |prefix: &str| self.0.starts_with(prefix);
        if geography("cn-") {
            Partition::China
        } else if geography("us-gov-") {
            Partition::GovCloud
        } else if geography("us-iso-") {
            Partition::Iso
        } else if geography("us-isob-") {
            Partition::IsoB
        } else if geography("eusc-") {
            Partition::EuropeanSovereign
        } else {
            Partition::Commercial
        }
    }
}

/// A part of AWS with identities of its own. ARNs begin with it, and no role reaches across.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Partition {
    #[serde(rename = "aws")]
    Commercial,
    #[serde(rename = "aws-cn")]
    China,
    #[serde(rename = "aws-us-gov")]
    GovCloud,
    #[serde(rename = "aws-iso")]
    Iso,
    #[serde(rename = "aws-iso-b")]
    IsoB,
    #[serde(rename = "aws-eusc")]
    EuropeanSovereign,
}

impl Partition {
    /// As ARNs name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Partition::Commercial => "aws",
            Partition::China => "aws-cn",
            Partition::GovCloud => "aws-us-gov",
            Partition::Iso => "aws-iso",
            Partition::IsoB => "aws-iso-b",
            Partition::EuropeanSovereign => "aws-eusc",
        }
    }

    /// The domain of the partition's service endpoints.
    pub fn dns_suffix(self) -> &'static str {
        match self {
            Partition::Commercial | Partition::GovCloud => "amazonaws.com",
            Partition::China => "amazonaws.com.cn",
            Partition::Iso => "c2s.ic.gov",
            Partition::IsoB => "sc2s.sgov.gov",
            Partition::EuropeanSovereign => "amazonaws.eu",
        }
    }

    /// The partition of an ARN's second part.
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Partition::Commercial,
            Partition::China,
            Partition::GovCloud,
            Partition::Iso,
            Partition::IsoB,
            Partition::EuropeanSovereign,
        ]
        .into_iter()
        .find(|partition| partition.as_str() == name)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Arn {
    fn part(&self, index: usize) -> &str {
        self.0.splitn(6, ':').nth(index).unwrap_or_default()
    }

    pub fn partition(&self) -> &str {
        self.part(1)
    }

    pub fn service(&self) -> &str {
        self.part(2)
    }

    /// Absent for global services and buckets.
    pub fn region(&self) -> Option<Region> {
        Region::new(self.part(3)).ok()
    }

    /// Absent for buckets, and `aws` for what AWS manages.
    pub fn account(&self) -> Option<AccountId> {
        AccountId::new(self.part(4)).ok()
    }

    /// What follows the fifth colon: `role/weir/weir-replication`, `key/UUID`, a bucket.
    pub fn resource(&self) -> &str {
        self.part(5)
    }

    /// The name of the role, without its path, where this is a role's ARN.
    pub fn role_name(&self) -> Option<RoleName> {
        let path_and_name = self.resource().strip_prefix("role/").filter(|_| self.service() == "iam")?;
        RoleName::new(path_and_name.rsplit('/').next()?).ok()
    }

    /// The ARN of `path` and `name` in `account`.
    pub fn of_role(partition: Partition, account: &AccountId, path: &RolePath, name: &RoleName) -> Self {
        Arn(format!("arn:{partition}:iam::{account}:role{path}{name}"))
    }

    pub fn of_bucket(partition: Partition, bucket: &BucketName) -> Self {
        Arn(format!("arn:{partition}:s3:::{bucket}"))
    }
}

impl RoleName {
    /// A name that stands in our source; a test holds each to the rules.
    pub(crate) fn literal(name: &'static str) -> Self {
        RoleName(name.to_owned())
    }
}

impl RolePath {
    /// A path that stands in our source; a test holds each to the rules.
    pub(crate) fn literal(path: &'static str) -> Self {
        RolePath(path.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_are_checked_where_they_enter() {
        assert!(AccountId::new("012345678901").is_ok());
        for wrong in ["12345678901", "1234567890123", "12345678901a", "１２３４５６７８９０１２", ""]
        {
            assert!(AccountId::new(wrong).is_err(), "{wrong}");
        }
        for right in ["eu-central-1", "us-gov-west-1", "us-isob-east-1", "eusc-de-east-1", "ap-southeast-10"]
        {
            assert!(Region::new(right).is_ok(), "{right}");
        }
        for wrong in ["eu-central", "EU-central-1", "eu--1", "global", "-1", "eu-central-1a", ""] {
            assert!(Region::new(wrong).is_err(), "{wrong}");
        }
        assert!(OuId::new("ou-a1b2-c3d4e5f6").is_ok() && OuId::new("ou-a1b2").is_err());
        assert!(OrganizationId::new("o-a1b2c3d4e5").is_ok() && OrganizationId::new("o-A1b2c3d4e5").is_err());
        assert!(RolePath::new("/").is_ok() && RolePath::new("/weir/").is_ok());
        assert!(RolePath::new("//").is_err() && RolePath::new("weir/").is_err());
        assert!(BucketName::new("a/b").is_err() && BucketName::new("Old_Name").is_ok());
        assert!(ExternalId::new("a b").is_err() && ExternalId::new("weir:prod/1").is_ok());
    }

    #[test]
    fn an_arn_is_read_by_its_parts() {
        let role = Arn::new("arn:aws:iam::111111111111:role/weir/weir-replication").unwrap();
        assert_eq!(role.role_name().unwrap().as_str(), "weir-replication");
        assert_eq!(role.account().unwrap().as_str(), "111111111111");
        assert_eq!(role.region(), None);
        let key = Arn::new("arn:aws-cn:kms:cn-north-1:111111111111:key/1-2").unwrap();
        assert_eq!((key.partition(), key.service(), key.resource()), ("aws-cn", "kms", "key/1-2"));
        assert_eq!(key.role_name(), None);
        for wrong in
            ["arn:aws:iam::1:role/x", "arn:aws:s3:::", "aws:s3:::b", "arn:azure:s3:::b", "arn:aws:s3:::a b"]
        {
            assert!(Arn::new(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_refusal_says_what_to_write() {
        let message = serde_json::from_str::<AccountId>("\"12\"").unwrap_err().to_string();
        assert!(message.contains("`12`") && message.contains("12 digits"), "{message}");
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "\\PC*") {
            let _ = (Arn::new(text.clone()), Region::new(text.clone()), OuId::new(text.clone()));
            let _ = BucketName::new(text);
        }

        #[test]
        fn what_is_valid_survives_json(account in "[0-9]{12}", region in "[a-z]{2}-[a-z]{4,9}-[1-9]") {
            let account = AccountId::new(account).unwrap();
            let text = serde_json::to_string(&account).unwrap();
            prop_assert_eq!(serde_json::from_str::<AccountId>(&text).unwrap(), account);
            prop_assert!(Region::new(region).is_ok());
        }
    }
}
