//! Time: rounds of several ways in turn, and the median of each.

use anyhow::Result;
use std::time::{Duration, Instant};

/// How long one run takes.
pub(crate) fn time<T>(run: impl FnOnce() -> Result<T>) -> Result<Duration> {
    let start = Instant::now();
    let result = run()?;
    let took = start.elapsed();
    drop(std::hint::black_box(result));
    Ok(took)
}

/// The middle one of the times in seconds, or the mean of the two in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), values.get(middle.wrapping_sub(1))) {
        (Some(upper), Some(lower)) if values.len().is_multiple_of(2) => f64::midpoint(*upper, *lower),
        (Some(value), _) => *value,
        _ => f64::NAN,
    }
}

/// Megabytes (1,000,000 bytes) a second.
pub(crate) fn rate(bytes: usize, seconds: f64) -> f64 {
    bytes as f64 / 1e6 / seconds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(vec![4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!((median(vec![1.0]) - 1.0).abs() < 1e-9);
    }
}
