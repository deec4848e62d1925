//! What an object's key says of it.

use crate::route_key::locate;

/// 1990-01-01 and 2101-01-01, nanoseconds since 1970: years outside are numbers, not years.
const TIMES: std::ops::Range<i64> = 631_152_000_000_000_000..4_133_980_800_000_000_000;

/// The input is the key.
pub fn key(data: &[u8]) {
    let key = String::from_utf8_lossy(data);
    let location = locate(&key);
    if let Some(account) = &location.account {
        assert!(account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()), "{account}");
        assert!(key.contains(account.as_str()));
    }
    if let Some(region) = &location.region {
        assert!(region.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')), "{region}");
        assert!(key.contains(region.as_str()));
    }
    if let Some(time) = location.time {
        assert!(TIMES.contains(&time), "{time}");
    }
    assert_eq!(location, locate(&key), "the same each time");
}
