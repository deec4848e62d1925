//! The time, injected: waits are facts about it, and tests turn it.
//!
//! AWS decides by its own clock when fifteen minutes are over or a session ends. [`ServiceClock`] therefore follows the
//! `Date` header of the services' answers and only falls back to the machine's clock before the first of them.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// What says the time and lets it pass.
#[async_trait]
pub trait Clock: std::fmt::Debug + Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
    /// Returns when `duration` is over.
    async fn sleep(&self, duration: Duration);
}

/// The machine's clock, set right by what the services answer.
#[derive(Debug, Default)]
pub struct ServiceClock {
    /// Milliseconds to add to the machine's clock.
    ahead_ms: AtomicI64,
}

/// A `Date` header has whole seconds: a smaller difference says nothing.
const RESOLUTION_MS: i64 = 2_000;

impl ServiceClock {
    /// Takes the time of an answer just received, an HTTP date (RFC 9110, section 5.6.7); any other text is ignored.
    pub fn observe(&self, date: &str) {
        let Ok(service) = jiff::fmt::rfc2822::parse(date) else { return };
        let ahead = service.timestamp().as_millisecond() - Timestamp::now().as_millisecond();
        if (ahead - self.ahead_ms.load(Ordering::Relaxed)).abs() >= RESOLUTION_MS {
            self.ahead_ms.store(ahead, Ordering::Relaxed);
        }
    }
}

#[async_trait]
impl Clock for ServiceClock {
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        let ahead = SignedDuration::from_millis(self.ahead_ms.load(Ordering::Relaxed));
        now.checked_add(ahead).unwrap_or(now)
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_services_date_moves_the_clock_and_noise_does_not() {
        let clock = ServiceClock::default();
        let before = clock.now();
        clock.observe("yesterday, about noon");
        assert!(clock.now().duration_since(before).as_secs() < 60);
        let later = Timestamp::now() + SignedDuration::from_hours(3);
        clock.observe(
            &jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&later).unwrap(),
        );
        assert!((clock.now().duration_since(later)).as_secs().abs() < 60);
    }
}
