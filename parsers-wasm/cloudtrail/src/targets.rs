//! What a call acts on, where a request or a response names it in a place that is cheap to look at.

use crate::identity::name_in_arn;
use crate::record::Record;
use weir_parser_sdk::reader::{JsonText, Raw, Reader, Shape};
use weir_parser_sdk::{Event, ecs};

/// What a record's request and response name.
#[derive(Default)]
pub(crate) struct Targets<'a> {
    /// The IAM user acted on.
    pub(crate) user: Option<JsonText<'a>>,
    pub(crate) user_id: Option<JsonText<'a>>,
    /// The name that the IAM user gets.
    pub(crate) new_user: Option<JsonText<'a>>,
    /// The role that the caller takes on, and the name of the session.
    pub(crate) effective_user: Option<JsonText<'a>>,
    pub(crate) session: Option<JsonText<'a>>,
    group: Option<JsonText<'a>>,
    group_id: Option<JsonText<'a>>,
    /// The one instance, or HSM.
    pub(crate) instance: Option<JsonText<'a>>,
    /// The HSM's cluster.
    cluster: Option<JsonText<'a>>,
}

impl Targets<'_> {
    pub(crate) fn write_group(&self, event: &mut Event<'_>) {
        event.set_text(ecs::GROUP_NAME, self.group);
        event.set_text(ecs::GROUP_ID, self.group_id);
        if let Some(cluster) = self.cluster {
            event.related_host(&cluster.unescape());
            if let Some(module) = self.instance {
                event.related_host(&module.unescape());
            }
        }
    }
}

/// Looks at the request, and at the response if the request does not say it. Both were read once, so they are JSON.
pub(crate) fn find<'a>(record: &Record<'a>) -> Targets<'a> {
    let mut targets = Targets::default();
    let source = record.source.map(JsonText::raw).unwrap_or_default();
    let name = record.name.map(JsonText::raw).unwrap_or_default();
    match source {
        "iam.amazonaws.com" => find_principals(record, name, &mut targets),
        "sts.amazonaws.com" if name.starts_with("AssumeRole") => find_role(record, &mut targets),
        "ec2.amazonaws.com"
        | "ssm.amazonaws.com"
        | "ec2-instance-connect.amazonaws.com"
        | "autoscaling.amazonaws.com" => find_instance(record, &mut targets),
        "cloudhsm.amazonaws.com" => find_module(record, &mut targets),
        _ => {}
    }
    targets
}

/// The console's events carry their result in the response: `{"ConsoleLogin": "Failure"}`.
pub(crate) fn response_says_failure(record: &Record<'_>) -> bool {
    let (Some(source), Some(name), Some(response)) = (record.source, record.name, record.response) else {
        return false;
    };
    if source.raw() != "signin.amazonaws.com" {
        return false;
    }
    let mut failed = false;
    members(response, |key, value| failed |= key == name.raw() && value.text == "\"Failure\"");
    failed
}

/// The members of an object; nothing for any other value.
#[inline]
fn members<'a>(value: Raw<'a>, mut take: impl FnMut(&'a str, Raw<'a>)) {
    if value.shape == Shape::Object {
        let mut reader = Reader::new(value.text);
        reader.object();
        while let Some(key) = reader.key() {
            take(key.raw(), reader.value());
        }
    }
}

fn member<'a>(value: Raw<'a>, name: &str) -> Option<Raw<'a>> {
    let mut found = None;
    members(value, |key, member| {
        if key == name {
            found = Some(member);
        }
    });
    found
}

fn find_principals<'a>(record: &Record<'a>, name: &str, targets: &mut Targets<'a>) {
    if let Some(request) = record.request {
        members(request, |key, value| match key {
            "userName" => targets.user = value.string(),
            "newUserName" => targets.new_user = value.string(),
            "groupName" => targets.group = value.string(),
            _ => {}
        });
    }
    if let Some(response) = record.response
        && matches!(name, "CreateUser" | "CreateGroup")
    {
        let id = |object: &str, member_name: &str| member(member(response, object)?, member_name)?.string();
        targets.user_id = id("user", "userId");
        targets.group_id = id("group", "groupId");
    }
}

fn find_role<'a>(record: &Record<'a>, targets: &mut Targets<'a>) {
    let Some(request) = record.request else { return };
    members(request, |key, value| match key {
        "roleArn" => targets.effective_user = value.string().and_then(name_in_arn),
        "roleSessionName" => targets.session = value.string(),
        _ => {}
    });
    // EC2 takes on an instance's role under the instance's id.
    let by_instance = record.agent.is_some_and(|agent| agent.raw() == "ec2.amazonaws.com")
        || record.address.is_some_and(|address| address.raw() == "ec2.amazonaws.com");
    if by_instance {
        targets.instance = targets.session.filter(|session| is_instance(*session));
    }
}

fn find_instance<'a>(record: &Record<'a>, targets: &mut Targets<'a>) {
    let Some(request) = record.request else { return };
    let mut several = None;
    members(request, |key, value| match key {
        "instanceId" | "target" | "resourceId" => {
            targets.instance = targets.instance.or_else(|| value.string().filter(|id| is_instance(*id)));
        }
        "instancesSet" | "instanceIds" => several = Some(value),
        _ => {}
    });
    if targets.instance.is_none() {
        // RunInstances names the instance in its response alone.
        let created = || {
            let response = record
                .response
                .filter(|_| record.name.is_some_and(|name| name.raw().ends_with("Instances")))?;
            only_instance(member(response, "instancesSet")?)
        };
        targets.instance = several.and_then(only_instance).or_else(created);
    }
}

/// The instance, if a set names exactly one: `{"items": [{"instanceId": "i-…"}]}` or `["i-…"]`.
fn only_instance(set: Raw<'_>) -> Option<JsonText<'_>> {
    let items = if set.shape == Shape::Object { member(set, "items")? } else { set };
    if items.shape != Shape::Array {
        return None;
    }
    let mut reader = Reader::new(items.text);
    reader.array();
    if !reader.element() {
        return None;
    }
    let item = reader.value();
    if reader.element() {
        return None;
    }
    let id = if item.shape == Shape::Object { member(item, "instanceId")? } else { item };
    id.string().filter(|id| is_instance(*id))
}

/// An instance's id, `i-…`, or a managed node's, `mi-…`.
fn is_instance(id: JsonText<'_>) -> bool {
    id.raw().starts_with("i-") || id.raw().starts_with("mi-")
}

fn find_module<'a>(record: &Record<'a>, targets: &mut Targets<'a>) {
    if let Some(request) = record.request {
        members(request, |key, value| match key {
            "clusterId" => targets.cluster = value.string(),
            "hsmId" => targets.instance = value.string(),
            _ => {}
        });
    }
    if let Some(response) = record.response {
        let module = member(response, "hsmId").or_else(|| member(member(response, "hsm")?, "hsmId"));
        targets.instance = module.and_then(Raw::string).or(targets.instance);
    }
}
