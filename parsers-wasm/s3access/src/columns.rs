//! The fields of a line, in their order, under AWS's names.

/// Fields that every line has had since the first format of 2006: up to the user agent.
pub(crate) const REQUIRED: usize = Field::UserAgent as usize + 1;

weir_parser_sdk::positional_columns! {
    BucketOwner = "bucket_owner" Text,
    Bucket = "bucket" Text,
    Time = "time" Text,
    RemoteIp = "remote_ip" Text,
    Requester = "requester" Text,
    RequestId = "request_id" Text,
    Operation = "operation" Text,
    Key = "key" Text,
    RequestUri = "request_uri" Text,
    HttpStatus = "http_status" Integer,
    ErrorCode = "error_code" Text,
    BytesSent = "bytes_sent" Integer,
    ObjectSize = "object_size" Integer,
    // Milliseconds.
    TotalTime = "total_time" Integer,
    TurnAroundTime = "turn_around_time" Integer,
    Referrer = "referrer" Text,
    UserAgent = "user_agent" Text,
    VersionId = "version_id" Text,
    HostId = "host_id" Text,
    SignatureVersion = "signature_version" Text,
    CipherSuite = "cipher_suite" Text,
    AuthenticationType = "authentication_type" Text,
    HostHeader = "host_header" Text,
    TlsVersion = "tls_version" Text,
    AccessPointArn = "access_point_arn" Text,
    AclRequired = "acl_required" Text,
    SourceRegion = "source_region" Text,
}
