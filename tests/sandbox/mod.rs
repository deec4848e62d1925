//! The sandbox against guests that mean harm: a bound for everything, one lost frame at most, and the host lives.

mod bounds;
mod breaker;
mod cache;
mod refusals;
mod reload;
mod state;
