//! A strict fake of the AWS services that onboarding calls.
fn main() {}
