//! What logging libraries call things.
//!
//! A name is here when the libraries and shippers of several languages agree on what it means; a name that also means
//! something else (`id`, `name`, `type`, `path`, `host`) stays the application's own.

use weir_parser_sdk::ecs::{self, AnyField};

/// What a member of a record means, and how sure that is: of several members that mean the same, the one with the
/// lowest rank counts. Rank 0 is for ECS's own names.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Meaning {
    /// The event's time.
    Time(u8),
    /// The level, as a word or a number.
    Level(u8),
    /// The message.
    Message(u8),
    /// A field that takes the value as it stands, if its kind fits.
    Field(AnyField, u8),
    /// Text is the error's message, an object its parts.
    Error,
    /// The text of a stack.
    Stack,
    /// A client's address, perhaps with its port.
    Address,
    /// A status of HTTP, if it is one.
    Status(u8),
    /// A method of HTTP, if it is one.
    Method(u8),
    /// A request line, `GET /path HTTP/1.1`.
    Request,
    /// A `Host` header.
    Host,
    /// `HTTP/1.1`
    Protocol,
    /// Whom proxies forwarded a request for: a list of addresses.
    Forwarded,
    /// `file:line`
    Caller,
    /// A container's name, which Docker begins with a slash.
    Container,
    /// The ARN of an ECS task, which names account and region.
    Task,
    /// An ECS cluster's name, or its ARN.
    Cluster,
    /// The id of an EC2 instance.
    Instance,
}

/// What a member's name means by convention.
pub(crate) fn meaning(name: &str) -> Option<Meaning> {
    use Meaning::{
        Address, Caller, Cluster, Container, Error, Field, Forwarded, Host, Instance, Level, Message, Method,
        Protocol, Request, Stack, Status, Task, Time,
    };
    let field = |field: AnyField| Field(field, 1);
    Some(match name {
        "@timestamp" => Time(0),
        "timestamp" | "@t" | "Timestamp" => Time(1),
        "time" | "ts" | "datetime" | "dateTime" | "date_time" | "timeUnixNano" | "timeMillis" | "instant" => {
            Time(2)
        }
        "eventTime" | "event_time" | "eventTimestamp" | "event_timestamp" | "asctime" | "unixTime"
        | "unix_time" | "DateTime" | "Datetime" | "TIMESTAMP" | "time_local" | "time_iso8601" | "msec"
        | "requestTime" | "requestTimeEpoch" | "logged_at" | "date" | "t" => Time(3),

        "level" | "levelname" | "level_name" | "levelName" | "Level" | "@l" => Level(1),
        "severity" | "severityText" | "severity_text" | "SeverityText" | "loglevel" | "logLevel"
        | "log_level" | "LogLevel" | "lvl" => Level(2),

        "message" => Message(0),
        "msg" | "Message" | "@m" | "RenderedMessage" => Message(1),
        "log" | "short_message" | "body" | "Body" => Message(2),
        "@mt" | "MessageTemplate" | "event" => Message(3),

        "logger" | "logger_name" | "loggerName" | "LoggerName" => field(ecs::LOG_LOGGER.into()),
        "thread" | "thread_name" | "threadName" => field(ecs::PROCESS_THREAD_NAME.into()),
        "pid" | "process_id" => field(ecs::PROCESS_PID.into()),
        "hostname" => field(ecs::HOST_HOSTNAME.into()),
        "service" | "service_name" | "serviceName" => field(ecs::SERVICE_NAME.into()),
        "env" | "environment" => field(ecs::SERVICE_ENVIRONMENT.into()),
        "caller" => Caller,

        "error" | "err" | "exception" | "Exception" | "@x" => Error,
        "error_message" | "errorMessage" => field(ecs::ERROR_MESSAGE.into()),
        "error_type" | "errorType" | "error.kind" => field(ecs::ERROR_TYPE.into()),
        "error_code" | "errorCode" => field(ecs::ERROR_CODE.into()),
        "stack" | "stacktrace" | "stackTrace" | "stack_trace" | "exc_info" | "error.stack" => Stack,

        "trace_id" | "traceId" | "traceID" | "TraceId" | "traceid" | "dd.trace_id" | "otelTraceID" => {
            field(ecs::TRACE_ID.into())
        }
        "span_id" | "spanId" | "spanID" | "SpanId" | "spanid" | "dd.span_id" | "otelSpanID" => {
            field(ecs::SPAN_ID.into())
        }
        "transaction_id" | "transactionId" => field(ecs::TRANSACTION_ID.into()),
        "request_id" | "requestId" | "requestID" | "RequestId" => field(ecs::HTTP_REQUEST_ID.into()),

        "user" | "username" | "user_name" | "userName" => field(ecs::USER_NAME.into()),
        "remote_user" => Field(ecs::USER_NAME.into(), 2),
        "user_id" | "userId" | "userID" => field(ecs::USER_ID.into()),
        "client_ip" | "clientIp" | "clientIP" | "remote_addr" | "remoteAddr" | "remote_ip" | "remoteIp"
        | "source_ip" | "sourceIp" | "src_ip" => Address,
        "http_method" | "httpMethod" | "request_method" | "requestMethod" => Method(1),
        "method" => Method(2),
        "status_code" | "statusCode" | "http_status" | "httpStatus" | "response_status" => Status(1),
        "status" => Status(2),
        "request" => Request,
        "url" | "request_uri" | "requestUri" => field(ecs::URL_ORIGINAL.into()),
        // Behind the request line's, since nginx means the path alone.
        "uri" => Field(ecs::URL_ORIGINAL.into(), 3),
        "http_host" => Host,
        "server_protocol" | "http_version" | "httpVersion" | "protocol" | "proto" => Protocol,
        "request_length" => field(ecs::HTTP_REQUEST_BYTES.into()),
        "body_bytes_sent" => field(ecs::HTTP_RESPONSE_BODY_BYTES.into()),
        "bytes_sent" => field(ecs::HTTP_RESPONSE_BYTES.into()),
        "http_x_forwarded_for" | "x_forwarded_for" => Forwarded,
        "user_agent" | "userAgent" | "http_user_agent" => field(ecs::USER_AGENT_ORIGINAL.into()),
        "referer" | "referrer" | "http_referer" | "http_referrer" => field(ecs::HTTP_REQUEST_REFERRER.into()),

        "container_id" => field(ecs::CONTAINER_ID.into()),
        "container_name" => Container,
        "ecs_cluster" => Cluster,
        "ecs_task_arn" => Task,
        "ec2_instance_id" => Instance,
        _ => return None,
    })
}

/// What a member of an error object means, beyond ECS's own names.
pub(crate) fn meaning_in_error(name: &str) -> Option<AnyField> {
    Some(match name {
        "msg" => ecs::ERROR_MESSAGE.into(),
        "name" | "kind" | "class" => ecs::ERROR_TYPE.into(),
        "stack" | "stacktrace" | "stackTrace" => ecs::ERROR_STACK_TRACE.into(),
        _ => return None,
    })
}

/// Fields that the parser or the host sets: what a record says of them stays with the application.
pub(crate) fn is_ours(field: AnyField) -> bool {
    [ecs::ECS_VERSION.into(), ecs::EVENT_MODULE.into(), ecs::EVENT_DATASET.into()].contains(&field)
}

/// Levels of the libraries, in lower case.
const LEVELS: [&str; 24] = [
    "info",
    "warn",
    "error",
    "debug",
    "warning",
    "trace",
    "fatal",
    "critical",
    "notice",
    "err",
    "crit",
    "alert",
    "emergency",
    "emerg",
    "panic",
    "dpanic",
    "severe",
    "information",
    "informational",
    "verbose",
    "fine",
    "finer",
    "finest",
    "config",
];

/// Levels that mean an error.
pub(crate) fn is_error_level(level: &str) -> bool {
    matches!(
        level,
        "error"
            | "err"
            | "fatal"
            | "critical"
            | "crit"
            | "alert"
            | "emerg"
            | "emergency"
            | "panic"
            | "severe"
            | "dpanic"
    )
}

/// A level in lower case, if it is one of the known words, or one of the numbers that Pino and Bunyan write for them.
pub(crate) fn level(text: &str) -> Option<&'static str> {
    if text.as_bytes().first().is_some_and(u8::is_ascii_digit) {
        return Some(match text {
            "10" => "trace",
            "20" => "debug",
            "30" => "info",
            "40" => "warn",
            "50" => "error",
            "60" => "fatal",
            _ => return None,
        });
    }
    LEVELS.into_iter().find(|level| level.eq_ignore_ascii_case(text))
}

/// The methods of RFC 9110 and RFC 5789.
pub(crate) fn is_http_method(text: &str) -> bool {
    matches!(text, "GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "CONNECT" | "OPTIONS" | "TRACE" | "PATCH")
}
