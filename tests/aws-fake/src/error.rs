//! An answer that is an error, before a protocol gives it a form.

/// An error as an AWS service answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AwsError {
    /// The code, e.g. `NoSuchBucket`.
    pub(crate) code: String,
    pub(crate) message: String,
    /// The HTTP status.
    pub(crate) status: u16,
    /// Further elements or members of the body, e.g. `Endpoint` or `Reason`.
    pub(crate) fields: Vec<(&'static str, String)>,
    /// Further headers.
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl AwsError {
    /// An error with a code, a status and a message.
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            status,
            fields: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// The same with one more member of the body.
    #[must_use]
    pub(crate) fn field(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// The same with one more header.
    #[must_use]
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// An operation that the fake does not know: never a quiet success.
    pub(crate) fn not_implemented(service: &str, operation: &str) -> Self {
        Self::new(501, "NotImplemented", format!("the fake does not implement {service}:{operation}"))
    }
}
