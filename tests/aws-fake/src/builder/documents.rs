//! The documents of generated worlds.

/// A trust policy for the administrators of an account who know an external id.
pub fn administrator_trust(account: &str, external_id: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{account}:root"}},"Action":"sts:AssumeRole","Condition":{{"StringEquals":{{"sts:ExternalId":"{external_id}"}}}}}}]}}"#
    )
}

/// A replication configuration of rules.
pub fn replication_configuration(role: &str, rules: &[String]) -> String {
    format!("<ReplicationConfiguration><Role>{role}</Role>{}</ReplicationConfiguration>", rules.concat())
}

/// A rule of another team, with parts that Weir does not write itself.
pub fn foreign_rule(id: &str, priority: u32, prefix: &str, destination: &str) -> String {
    format!(
        "<Rule><ID>{id}</ID><Priority>{priority}</Priority><Filter><And><Prefix>{prefix}</Prefix><Tag><Key>keep</Key><Value>yes</Value></Tag></And></Filter><Status>Enabled</Status><SourceSelectionCriteria><ReplicaModifications><Status>Enabled</Status></ReplicaModifications></SourceSelectionCriteria><DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::{destination}</Bucket><StorageClass>GLACIER_IR</StorageClass></Destination></Rule>"
    )
}

pub(super) fn s3_trust() -> &'static str {
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#
}

pub(super) fn foreign_policy(bucket: &str, account: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"OtherTeamReads","Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{account}:root"}},"Action":["s3:GetObject"],"Resource":["arn:aws:s3:::{bucket}/archive/*"]}}]}}"#
    )
}

pub(super) fn notification(queue: &str) -> String {
    format!(
        "<NotificationConfiguration><QueueConfiguration><Id>weir</Id><Queue>{queue}</Queue><Event>s3:ObjectCreated:*</Event></QueueConfiguration></NotificationConfiguration>"
    )
}

pub(super) fn queue_policy(queue: &str, bucket: &str, account: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"WeirNotify","Effect":"Allow","Principal":{{"Service":"s3.amazonaws.com"}},"Action":"sqs:SendMessage","Resource":"{queue}","Condition":{{"ArnEquals":{{"aws:SourceArn":"arn:aws:s3:::{bucket}"}},"StringEquals":{{"aws:SourceAccount":"{account}"}}}}}}]}}"#
    )
}
