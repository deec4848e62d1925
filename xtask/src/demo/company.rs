//! The fictitious company: Kestrel Moss sells outdoor gear and runs its shop on AWS.
//!
//! Addresses outside are those set aside for documentation (RFC 5737, RFC 3849). 203.0.113.0/24 is the intruder's
//! alone, and so is 198.51.100.23.

use super::random::Random;

/// The account of the shop.
pub(super) const PRODUCTION: &str = "111122223333";
/// The account of what all teams share: the bastion, the transit gateway.
pub(super) const PLATFORM: &str = "222233334444";
/// The account of the backups.
pub(super) const DATA: &str = "333344445555";

pub(super) const FRANKFURT: &str = "eu-central-1";
pub(super) const VIRGINIA: &str = "us-east-1";

/// Looks for holes in the shop, at night.
pub(super) const SCANNER: &str = "198.51.100.23";
/// Uses the stolen key.
pub(super) const KEY_THIEF: &str = "203.0.113.66";
/// Guesses passwords.
pub(super) const GUESSER: &str = "203.0.113.140";
/// The company's own network.
pub(super) const OFFICE: [&str; 2] = ["192.0.2.10", "192.0.2.11"];

/// The service user whose key is stolen.
pub(super) const STOLEN_USER: &str = "svc-reporting";
/// The stolen key.
pub(super) const STOLEN_KEY: &str = "AKIAEXAMPLEREPORTING";
/// The bucket of the backups.
pub(super) const BACKUPS: &str = "kestrelmoss-backups";

/// A server.
pub(super) struct Server {
    pub(super) name: &'static str,
    pub(super) account: &'static str,
    pub(super) region: &'static str,
    pub(super) address: &'static str,
    pub(super) interface: &'static str,
}

const fn server(
    name: &'static str,
    account: &'static str,
    region: &'static str,
    address: &'static str,
    interface: &'static str,
) -> Server {
    Server { name, account, region, address, interface }
}

pub(super) static WEB_1: Server =
    server("shop-web-1", PRODUCTION, FRANKFURT, "10.20.1.11", "eni-0a11b22c33d44e501");
pub(super) static WEB_2: Server =
    server("shop-web-2", PRODUCTION, FRANKFURT, "10.20.1.12", "eni-0a11b22c33d44e502");
pub(super) static DATABASE: Server =
    server("shop-db-1", PRODUCTION, FRANKFURT, "10.20.2.21", "eni-0a11b22c33d44e503");
pub(super) static BASTION: Server =
    server("bastion-1", PLATFORM, FRANKFURT, "10.30.0.5", "eni-0b22c33d44e55f601");
pub(super) static BUILD: Server =
    server("build-1", PLATFORM, FRANKFURT, "10.30.1.17", "eni-0b22c33d44e55f602");
pub(super) static BACKUP: Server = server("backup-1", DATA, FRANKFURT, "10.40.0.9", "eni-0c33d44e55f66a701");
pub(super) static WEB_US: Server =
    server("shop-web-us-1", PRODUCTION, VIRGINIA, "10.21.1.11", "eni-0d44e55f66a77b801");

/// A customer's address.
pub(super) fn customer(random: &mut Random) -> String {
    match random.below(10) {
        0 => format!("2001:db8:{:x}::{:x}", random.between(1, 40), random.between(1, 9)),
        1..=5 => format!("198.51.100.{}", random.between(40, 250)),
        _ => format!("192.0.2.{}", random.between(60, 250)),
    }
}

/// A customer's address where only IPv4 is spoken.
pub(super) fn customer_v4(random: &mut Random) -> String {
    match random.below(2) {
        0 => format!("198.51.100.{}", random.between(40, 250)),
        _ => format!("192.0.2.{}", random.between(60, 250)),
    }
}

/// A browser.
pub(super) fn browser(random: &mut Random) -> &'static str {
    random.weighted(&[
        (5, "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/133.0.0.0 Safari/537.36"),
        (3, "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.3 Mobile/15E148 Safari/604.1"),
        (3, "Mozilla/5.0 (X11; Linux x86_64; rv:136.0) Gecko/20100101 Firefox/136.0"),
        (2, "Mozilla/5.0 (Linux; Android 15; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/133.0.0.0 Mobile Safari/537.36"),
        (1, "KestrelMossApp/4.2 (Android 15)"),
    ])
}
