//! Who is at either end of a connection, and what is an IP address.

use crate::ecs::{self, Field, Ip, Keyword, Long};
use crate::{block, text};
use std::net::Ipv6Addr;

/// The four fields that say who an endpoint is.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint {
    pub(crate) address: Field<Keyword>,
    pub(crate) ip: Field<Ip>,
    pub(crate) port: Field<Long>,
    pub(crate) domain: Field<Keyword>,
}
/// `source.*`
pub const SOURCE: Endpoint = Endpoint {
    address: ecs::SOURCE_ADDRESS,
    ip: ecs::SOURCE_IP,
    port: ecs::SOURCE_PORT,
    domain: ecs::SOURCE_DOMAIN,
};
/// `destination.*`
pub const DESTINATION: Endpoint = Endpoint {
    address: ecs::DESTINATION_ADDRESS,
    ip: ecs::DESTINATION_IP,
    port: ecs::DESTINATION_PORT,
    domain: ecs::DESTINATION_DOMAIN,
};
/// `client.*`
pub const CLIENT: Endpoint = Endpoint {
    address: ecs::CLIENT_ADDRESS,
    ip: ecs::CLIENT_IP,
    port: ecs::CLIENT_PORT,
    domain: ecs::CLIENT_DOMAIN,
};
/// `server.*`
pub const SERVER: Endpoint = Endpoint {
    address: ecs::SERVER_ADDRESS,
    ip: ecs::SERVER_IP,
    port: ecs::SERVER_PORT,
    domain: ecs::SERVER_DOMAIN,
};

/// Whether a text is an IP address, and which version. No zone index, no brackets, no port.
#[inline]
pub fn ip_version(text: &str) -> Option<u8> {
    if is_ipv4(text.as_bytes()) {
        Some(4)
    } else if text.len() <= 45
        && memchr::memchr(b':', text.as_bytes()).is_some()
        && text.parse::<Ipv6Addr>().is_ok()
    {
        Some(6)
    } else {
        None
    }
}

/// The address before the zone index of RFC 4007, as in `fe80::1%eth0`.
pub(crate) fn without_zone(text: &str) -> Option<&str> {
    let (address, _) = text::cut(text, "%")?;
    (ip_version(address) == Some(6)).then_some(address)
}

/// Dotted decimal, four octets, no leading zeros (as RFC 6943, section 3.1.1 calls strict).
#[inline]
fn is_ipv4(text: &[u8]) -> bool {
    block::of_short(text).is_some_and(|block| block::is_ipv4(&block, text.len()))
}
