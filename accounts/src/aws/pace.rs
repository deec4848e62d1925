//! A global pace for the services whose limits the whole process shares: Organizations and STS of the caller's account.
//!
//! The SDK retries one request; it does not keep a thousand workers from asking at once. A pacer hands out moments to
//! call, halves its rate when the service says that it is too much, and climbs back slowly.

use crate::clock::Clock;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Hands out moments to call, no faster than its rate.
#[derive(Debug)]
pub(super) struct Pacer {
    clock: Arc<dyn Clock>,
    highest: f64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Calls in a second.
    rate: f64,
    /// The next free moment, in milliseconds of the clock.
    next_ms: i64,
}

/// A pacer never goes slower than this share of its rate: a service that throttles everything would stop it for good.
const LOWEST_SHARE: f64 = 0.1;

impl Pacer {
    /// A pacer of `per_second` calls in a second.
    pub(super) fn new(clock: Arc<dyn Clock>, per_second: f64) -> Self {
        let state = State { rate: per_second, next_ms: i64::MIN };
        Self { clock, highest: per_second, state: Mutex::new(state) }
    }

    /// Waits for a moment of one's own.
    pub(super) async fn wait(&self) {
        let wait_ms = self.reserve();
        if let Ok(wait_ms) = u64::try_from(wait_ms)
            && wait_ms > 0
        {
            self.clock.sleep(Duration::from_millis(wait_ms)).await;
        }
    }

    /// The service said that it was too much.
    pub(super) fn throttled(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.rate = (state.rate / 2.0).max(self.highest * LOWEST_SHARE);
    }

    /// The service answered.
    pub(super) fn answered(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.rate = (state.rate + self.highest * 0.01).min(self.highest);
    }

    /// Milliseconds until the moment reserved.
    fn reserve(&self) -> i64 {
        let now_ms = self.clock.now().as_millisecond();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let moment_ms = state.next_ms.max(now_ms);
        state.next_ms = moment_ms + (1_000.0 / state.rate) as i64;
        moment_ms - now_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;
    use jiff::Timestamp;

    #[derive(Debug)]
    struct Stopped;

    #[async_trait]
    impl Clock for Stopped {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }
        async fn sleep(&self, _: Duration) {}
    }

    #[test]
    fn moments_are_apart_and_further_apart_after_a_throttle() {
        let pacer = Pacer::new(Arc::new(Stopped), 10.0);
        assert_eq!([pacer.reserve(), pacer.reserve(), pacer.reserve()], [0, 100, 200]);
        pacer.throttled();
        assert_eq!([pacer.reserve(), pacer.reserve()], [300, 500]);
        for _ in 0..100 {
            pacer.answered();
        }
        pacer.reserve();
        let before = pacer.reserve();
        assert_eq!(pacer.reserve() - before, 100);
    }

    #[test]
    fn a_pacer_never_stops() {
        let pacer = Pacer::new(Arc::new(Stopped), 10.0);
        for _ in 0..100 {
            pacer.throttled();
        }
        let before = pacer.reserve();
        assert_eq!(pacer.reserve() - before, 1_000);
    }
}
