//! The fields of a line, in their order, under AWS's names (`client:port` and `destination:port` without `:port`).

/// Fields that every line of version 1.0 has had: up to the bytes sent.
pub(crate) const REQUIRED: usize = Field::SentBytes as usize + 1;

weir_parser_sdk::positional_columns! {
    Type = "type" Text,
    Version = "version" Text,
    Time = "time" Text,
    Elb = "elb" Text,
    Listener = "listener" Text,
    Client = "client" Text,
    Destination = "destination" Text,
    // Milliseconds.
    ConnectionTime = "connection_time" Integer,
    TlsHandshakeTime = "tls_handshake_time" Integer,
    ReceivedBytes = "received_bytes" Integer,
    SentBytes = "sent_bytes" Integer,
    IncomingTlsAlert = "incoming_tls_alert" Integer,
    ChosenCertArn = "chosen_cert_arn" Text,
    ChosenCertSerial = "chosen_cert_serial" Text,
    TlsCipher = "tls_cipher" Text,
    TlsProtocolVersion = "tls_protocol_version" Text,
    TlsNamedGroup = "tls_named_group" Text,
    DomainName = "domain_name" Text,
    AlpnFrontEndProtocol = "alpn_fe_protocol" Text,
    AlpnBackEndProtocol = "alpn_be_protocol" Text,
    AlpnClientPreferenceList = "alpn_client_preference_list" List(','),
    TlsConnectionCreationTime = "tls_connection_creation_time" Text,
}
