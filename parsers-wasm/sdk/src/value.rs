//! Values that fields take, as they stand in JSON.

use crate::ecs::{Boolean, Date, Float, Keyword, KeywordList, Long, Text};
use crate::{json, time};
use std::borrow::Cow;

/// A value that fits a field of type `T`.
pub trait Value<T> {
    /// Appends the value as JSON.
    fn push_json(&self, out: &mut Vec<u8>);

    /// The value as text, if in JSON it is a string of this text; most values are, and have a shorter way.
    #[inline]
    fn as_text(&self) -> Option<&str> {
        None
    }
}

impl<V: Value<T> + ?Sized, T> Value<T> for &V {
    #[inline]
    fn push_json(&self, out: &mut Vec<u8>) {
        (**self).push_json(out);
    }
    #[inline]
    fn as_text(&self) -> Option<&str> {
        (**self).as_text()
    }
}

macro_rules! string_values {
    ($($kind:ty),*) => { $(
        impl Value<$kind> for str {
            #[inline]
            fn push_json(&self, out: &mut Vec<u8>) { json::push_string(out, self); }
            #[inline]
            fn as_text(&self) -> Option<&str> { Some(self) }
        }
        impl Value<$kind> for String {
            #[inline]
            fn push_json(&self, out: &mut Vec<u8>) { json::push_string(out, self); }
            #[inline]
            fn as_text(&self) -> Option<&str> { Some(self) }
        }
        impl Value<$kind> for Cow<'_, str> {
            #[inline]
            fn push_json(&self, out: &mut Vec<u8>) { json::push_string(out, self); }
            #[inline]
            fn as_text(&self) -> Option<&str> { Some(self) }
        }
    )* };
}
string_values!(Keyword, Text);

/// Texts set one behind the other as one string, such as a URL from its parts; saves joining them first.
#[derive(Debug, Clone, Copy)]
pub struct Joined<'a>(pub &'a [&'a str]);
impl Value<Keyword> for Joined<'_> {
    #[inline]
    fn push_json(&self, out: &mut Vec<u8>) {
        out.push(b'"');
        for part in self.0 {
            json::push_escaped(out, part.as_bytes());
        }
        out.push(b'"');
    }
}

/// An integer as a keyword, such as an event code.
#[derive(Debug, Clone, Copy)]
pub struct Decimal(pub i64);
impl Value<Keyword> for Decimal {
    fn push_json(&self, out: &mut Vec<u8>) {
        out.push(b'"');
        json::push_integer(out, self.0);
        out.push(b'"');
    }
}

macro_rules! integer_values {
    ($($kind:ty),*) => { $( impl Value<Long> for $kind {
        #[inline]
        fn push_json(&self, out: &mut Vec<u8>) { json::push_integer(out, *self); }
    } )* };
}
integer_values!(u8, u16, u32, i32, i64, usize);

impl Value<Boolean> for bool {
    fn push_json(&self, out: &mut Vec<u8>) {
        json::push(out, if *self { b"true" } else { b"false" });
    }
}

impl Value<Float> for f64 {
    fn push_json(&self, out: &mut Vec<u8>) {
        // JSON has no infinities; a score out of range says nothing.
        let text = if self.is_finite() { format!("{self}") } else { "null".to_owned() };
        json::push(out, text.as_bytes());
    }
}

/// Nanoseconds since 1970, for date fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instant(pub i64);
impl Value<Date> for Instant {
    #[inline]
    fn push_json(&self, out: &mut Vec<u8>) {
        time::push_time(out, self.0);
    }
}

impl Value<KeywordList> for [&str] {
    #[inline]
    fn push_json(&self, out: &mut Vec<u8>) {
        json::push_strings(out, self.iter().copied());
    }
}
impl<const N: usize> Value<KeywordList> for [&str; N] {
    #[inline]
    fn push_json(&self, out: &mut Vec<u8>) {
        Value::<KeywordList>::push_json(self.as_slice(), out);
    }
}

/// `event.kind`, as ECS allows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "ECS defines the values")]
pub enum Kind {
    Alert,
    Event,
    Metric,
    State,
    Signal,
    PipelineError,
}
impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Alert => "alert",
            Kind::Event => "event",
            Kind::Metric => "metric",
            Kind::State => "state",
            Kind::Signal => "signal",
            Kind::PipelineError => "pipeline_error",
        }
    }
}

macro_rules! allowed_values {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs, reason = "ECS defines the values")]
        pub enum $name { $($variant),* }
        impl $name {
            /// Every value that ECS allows.
            pub const ALL: &'static [Self] = &[$($name::$variant),*];

            /// The value as ECS spells it.
            pub const fn name(self) -> &'static str { match self { $( $name::$variant => $text ),* } }
        }
    };
}
allowed_values! {
    /// `event.category`, as ECS allows it.
    Category {
        Api = "api", Authentication = "authentication", Configuration = "configuration", Database = "database", Driver = "driver",
        Email = "email", File = "file", Host = "host", Iam = "iam", IntrusionDetection = "intrusion_detection", Library = "library",
        Malware = "malware", Network = "network", Package = "package", Process = "process", Registry = "registry", Session = "session",
        Threat = "threat", Vulnerability = "vulnerability", Web = "web",
    }
}
allowed_values! {
    /// `event.type`, as ECS allows it.
    Type {
        Access = "access", Admin = "admin", Allowed = "allowed", Change = "change", Connection = "connection", Creation = "creation",
        Deletion = "deletion", Denied = "denied", Device = "device", End = "end", Error = "error", Group = "group", Indicator = "indicator",
        Info = "info", Installation = "installation", Protocol = "protocol", Start = "start", User = "user",
    }
}
allowed_values! {
    /// `event.outcome`, as ECS allows it.
    EventOutcome { Success = "success", Failure = "failure", Unknown = "unknown" }
}
impl Value<Keyword> for EventOutcome {
    fn push_json(&self, out: &mut Vec<u8>) {
        json::push_string(out, self.name());
    }
    #[inline]
    fn as_text(&self) -> Option<&str> {
        Some(self.name())
    }
}
