//! The fields of a line, in their order, under AWS's names (`client:port` and `backend:port` without `:port`).

/// Fields that every line has had since the first format of 2014: up to the request.
pub(crate) const REQUIRED: usize = Field::Request as usize + 1;

weir_parser_sdk::positional_columns! {
    Time = "time" Text,
    Elb = "elb" Text,
    Client = "client" Text,
    Backend = "backend" Text,
    RequestProcessingTime = "request_processing_time" Decimal,
    BackendProcessingTime = "backend_processing_time" Decimal,
    ResponseProcessingTime = "response_processing_time" Decimal,
    ElbStatusCode = "elb_status_code" Integer,
    BackendStatusCode = "backend_status_code" Integer,
    ReceivedBytes = "received_bytes" Integer,
    SentBytes = "sent_bytes" Integer,
    Request = "request" Text,
    UserAgent = "user_agent" Text,
    SslCipher = "ssl_cipher" Text,
    SslProtocol = "ssl_protocol" Text,
}
