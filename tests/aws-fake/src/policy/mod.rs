//! IAM policies: their grammar, and whether they allow a request.
//!
//! Sources: "Grammar of the IAM JSON policy language", "Policy evaluation logic", "AWS global condition context keys"
//! and "IAM JSON policy elements" (IAM User Guide).

mod authorize;
mod condition;
mod document;
mod managed;
mod pattern;
mod principal;

pub(crate) use self::authorize::{Subject, authorize};
pub(crate) use self::condition::{Context, Key};
pub(crate) use self::document::{Document, PolicyProblem, Statement};
pub(crate) use self::managed::{aws_managed, managed_document};
pub(crate) use self::pattern::glob_matches;
pub(crate) use self::principal::{Identity, Principals, principals_in, shown};
