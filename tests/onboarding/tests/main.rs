//! Onboarding end to end: the commands, as a process, against the strict fake of AWS, over HTTP.

mod cases;
mod kills;
mod organization;
mod refusals;
mod scale;
mod support;
