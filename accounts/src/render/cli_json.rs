//! S3's XML documents in the JSON that the AWS CLI takes.
//!
//! The names differ (`Rule` and `Rules`, `Queue` and `QueueArn`), and numbers are numbers. The tables follow the S3 API
//! reference. What they do not know is refused, since the CLI would drop it and S3 then delete it.

use crate::replication::{Element, XmlError};
use serde_json::{Map, Value};

/// Why a document cannot be put with the AWS CLI.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliJsonError {
    #[error("the document cannot be read")]
    Xml(#[from] XmlError),
    #[error(
        "<{element}> in <{parent}> is not known to the AWS CLI's form of the document; use `weir accounts apply`, which carries it through"
    )]
    Unknown { parent: String, element: String },
    #[error("<{element}> holds `{text}`, which is not {expected}")]
    Value { element: String, text: String, expected: &'static str },
}

/// What an element holds.
enum Shape {
    Text,
    Number,
    Boolean,
    Structure(&'static [Field]),
}

/// An element, and what the CLI calls it.
struct Field {
    xml: &'static str,
    json: &'static str,
    /// The element may be there more than once.
    is_list: bool,
    shape: Shape,
}

const fn text(xml: &'static str) -> Field {
    Field { xml, json: xml, is_list: false, shape: Shape::Text }
}

const fn number(xml: &'static str) -> Field {
    Field { xml, json: xml, is_list: false, shape: Shape::Number }
}

const fn one(xml: &'static str, fields: &'static [Field]) -> Field {
    Field { xml, json: xml, is_list: false, shape: Shape::Structure(fields) }
}

const fn many(xml: &'static str, json: &'static str, fields: &'static [Field]) -> Field {
    Field { xml, json, is_list: true, shape: Shape::Structure(fields) }
}

const STATUS: &[Field] = &[text("Status")];
const TAG: &[Field] = &[text("Key"), text("Value")];
const MINUTES: &[Field] = &[number("Minutes")];

const REPLICATION: &[Field] = &[text("Role"), many("Rule", "Rules", REPLICATION_RULE)];
const REPLICATION_RULE: &[Field] = &[
    text("ID"),
    number("Priority"),
    text("Prefix"),
    one(
        "Filter",
        &[text("Prefix"), one("Tag", TAG), one("And", &[text("Prefix"), many("Tag", "Tags", TAG)])],
    ),
    text("Status"),
    one(
        "SourceSelectionCriteria",
        &[one("SseKmsEncryptedObjects", STATUS), one("ReplicaModifications", STATUS)],
    ),
    one("ExistingObjectReplication", STATUS),
    one("DeleteMarkerReplication", STATUS),
    one(
        "Destination",
        &[
            text("Bucket"),
            text("Account"),
            text("StorageClass"),
            one("AccessControlTranslation", &[text("Owner")]),
            one("EncryptionConfiguration", &[text("ReplicaKmsKeyID")]),
            one("ReplicationTime", &[text("Status"), one("Time", MINUTES)]),
            one("Metrics", &[text("Status"), one("EventThreshold", MINUTES)]),
        ],
    ),
];

const LIFECYCLE: &[Field] = &[many("Rule", "Rules", LIFECYCLE_RULE)];
const LIFECYCLE_RULE: &[Field] = &[
    text("ID"),
    text("Prefix"),
    one(
        "Filter",
        &[
            text("Prefix"),
            one("Tag", TAG),
            number("ObjectSizeGreaterThan"),
            number("ObjectSizeLessThan"),
            one(
                "And",
                &[
                    text("Prefix"),
                    many("Tag", "Tags", TAG),
                    number("ObjectSizeGreaterThan"),
                    number("ObjectSizeLessThan"),
                ],
            ),
        ],
    ),
    text("Status"),
    one(
        "Expiration",
        &[
            text("Date"),
            number("Days"),
            Field {
                xml: "ExpiredObjectDeleteMarker",
                json: "ExpiredObjectDeleteMarker",
                is_list: false,
                shape: Shape::Boolean,
            },
        ],
    ),
    many("Transition", "Transitions", &[text("Date"), number("Days"), text("StorageClass")]),
    many(
        "NoncurrentVersionTransition",
        "NoncurrentVersionTransitions",
        &[number("NoncurrentDays"), text("StorageClass"), number("NewerNoncurrentVersions")],
    ),
    one("NoncurrentVersionExpiration", &[number("NoncurrentDays"), number("NewerNoncurrentVersions")]),
    one("AbortIncompleteMultipartUpload", &[number("DaysAfterInitiation")]),
];

const NOTIFICATIONS: &[Field] = &[
    many("TopicConfiguration", "TopicConfigurations", &target("Topic", "TopicArn")),
    many("QueueConfiguration", "QueueConfigurations", &target("Queue", "QueueArn")),
    many(
        "CloudFunctionConfiguration",
        "LambdaFunctionConfigurations",
        &target("CloudFunction", "LambdaFunctionArn"),
    ),
    one("EventBridgeConfiguration", &[]),
];

const fn target(xml: &'static str, json: &'static str) -> [Field; 4] {
    const KEY: &[Field] = &[many("FilterRule", "FilterRules", &[text("Name"), text("Value")])];
    const FILTER: &[Field] =
        &[Field { xml: "S3Key", json: "Key", is_list: false, shape: Shape::Structure(KEY) }];
    [
        text("Id"),
        Field { xml, json, is_list: false, shape: Shape::Text },
        Field { xml: "Event", json: "Events", is_list: true, shape: Shape::Text },
        one("Filter", FILTER),
    ]
}

/// `--replication-configuration` of `aws s3api put-bucket-replication`.
pub(super) fn replication(document: &str) -> Result<Value, CliJsonError> {
    structure(&Element::parse(document, "ReplicationConfiguration")?, REPLICATION)
}

/// `--lifecycle-configuration` of `aws s3api put-bucket-lifecycle-configuration`.
pub(super) fn lifecycle(document: &str) -> Result<Value, CliJsonError> {
    structure(&Element::parse(document, "LifecycleConfiguration")?, LIFECYCLE)
}

/// `--notification-configuration` of `aws s3api put-bucket-notification-configuration`.
pub(super) fn notifications(document: &str) -> Result<Value, CliJsonError> {
    structure(&Element::parse(document, "NotificationConfiguration")?, NOTIFICATIONS)
}

fn structure(element: &Element, fields: &[Field]) -> Result<Value, CliJsonError> {
    let mut json = Map::new();
    for child in element.children() {
        let unknown =
            || CliJsonError::Unknown { parent: element.name().to_owned(), element: child.name().to_owned() };
        let field = fields.iter().find(|field| field.xml == child.name()).ok_or_else(unknown)?;
        let value = value(child, &field.shape)?;
        if field.is_list {
            let list = json.entry(field.json).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(list) = list {
                list.push(value);
            }
        } else if json.insert(field.json.to_owned(), value).is_some() {
            return Err(unknown());
        }
    }
    Ok(Value::Object(json))
}

fn value(element: &Element, shape: &Shape) -> Result<Value, CliJsonError> {
    if let Shape::Structure(fields) = shape {
        return structure(element, fields);
    }
    if let Some(child) = element.children().first() {
        return Err(CliJsonError::Unknown {
            parent: element.name().to_owned(),
            element: child.name().to_owned(),
        });
    }
    let text = element.text();
    let wrong = |expected| CliJsonError::Value {
        element: element.name().to_owned(),
        text: text.to_owned(),
        expected,
    };
    match shape {
        Shape::Number => text.trim().parse::<u64>().map(Value::from).map_err(|_| wrong("a number")),
        Shape::Boolean => text.trim().parse::<bool>().map(Value::from).map_err(|_| wrong("true or false")),
        Shape::Text | Shape::Structure(_) => Ok(Value::from(text)),
    }
}
