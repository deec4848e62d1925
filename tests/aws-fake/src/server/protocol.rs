//! The form of an error in each protocol (Smithy: "AWS JSON 1.0/1.1", "AWS query", "AWS REST XML").

use crate::call::Service;
use crate::error::AwsError;
use crate::http::Reply;
use crate::xml::Element;

/// The id of a request.
pub(super) fn request_id(number: u64) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

/// Gives an error its form.
pub(super) fn error(service: Service, method: &str, error: &AwsError, request_id: &str) -> Reply {
    let mut reply = match service {
        Service::Organizations | Service::Kms => json(error, "application/x-amz-json-1.1"),
        Service::Sqs => sqs(error),
        Service::Sts | Service::Iam => query(error, request_id),
        Service::S3 => s3(error, method, request_id),
        Service::S3Control => s3_control(error, request_id),
    };
    reply.headers.extend(error.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    reply
}

fn json(error: &AwsError, content_type: &str) -> Reply {
    let mut body = serde_json::Map::new();
    body.insert("__type".to_owned(), error.code.clone().into());
    // KMS and Organizations differ in the case of the member; the SDKs read both.
    body.insert("message".to_owned(), error.message.clone().into());
    for (name, value) in &error.fields {
        body.insert((*name).to_owned(), value.clone().into());
    }
    let body = serde_json::Value::Object(body).to_string().into_bytes();
    Reply { status: error.status, headers: Vec::new(), body }.header("content-type", content_type)
}

/// SQS names errors by their shape and, in a header, by the code of its older query protocol.
fn sqs(error: &AwsError) -> Reply {
    let (shape, code) = match error.code.as_str() {
        "QueueDoesNotExist" => {
            ("com.amazonaws.sqs#QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue")
        }
        "RequestThrottled" => ("com.amazonaws.sqs#RequestThrottled", "RequestThrottled"),
        "QueueNameExists" => ("com.amazonaws.sqs#QueueNameExists", "QueueAlreadyExists"),
        "AccessDenied" => ("com.amazonaws.sqs#AccessDeniedException", "AccessDenied"),
        other => (other, other),
    };
    let named = AwsError { code: shape.to_owned(), ..error.clone() };
    json(&named, "application/x-amz-json-1.0").header("x-amzn-query-error", format!("{code};Sender"))
}

fn query(error: &AwsError, request_id: &str) -> Reply {
    let kind = if error.status < 500 { "Sender" } else { "Receiver" };
    let body = Element::new("Error")
        .text("Type", kind)
        .text("Code", &*error.code)
        .text("Message", &*error.message)
        .all(error.fields.iter().map(|(name, value)| Element::of(name, value.clone())));
    let document = Element::new("ErrorResponse").with(body).text("RequestId", request_id);
    Reply { status: error.status, ..Reply::xml(&document.write()) }
}

fn s3(error: &AwsError, method: &str, request_id: &str) -> Reply {
    if method == "HEAD" {
        return Reply::empty(error.status);
    }
    let body = Element::new("Error")
        .text("Code", &*error.code)
        .text("Message", &*error.message)
        .all(error.fields.iter().map(|(name, value)| Element::of(name, value.clone())))
        .text("RequestId", request_id)
        .text("HostId", "fake");
    let document = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}", body.write());
    Reply { status: error.status, ..Reply::xml(&document) }
}

fn s3_control(error: &AwsError, request_id: &str) -> Reply {
    let body = Element::new("Error").text("Code", &*error.code).text("Message", &*error.message);
    let document = Element::new("ErrorResponse").with(body).text("RequestId", request_id);
    Reply { status: error.status, ..Reply::xml(&document.write()) }
}
