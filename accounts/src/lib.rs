//! Onboards an AWS Organization into the log account: discover → plan → apply → verify.
