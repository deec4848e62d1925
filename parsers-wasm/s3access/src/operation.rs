//! What an operation does, from its name: `REST.GET.OBJECT`, `S3.EXPIRE.OBJECT`, `BATCH.DELETE.OBJECT`.

use weir_parser_sdk::{Category, Type};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Read,
    Change,
    Deletion,
}

/// An operation's parts that decide how an event is categorised.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    /// A client's request; else an action of S3 itself, for a lifecycle rule.
    pub(crate) requested: bool,
    effect: Effect,
    /// On an object or a part of one; else on the bucket or its settings.
    object: bool,
}

impl Operation {
    pub(crate) fn of(name: &str) -> Self {
        let mut parts = name.splitn(3, '.');
        let interface = parts.next().unwrap_or_default();
        let verb = parts.next().unwrap_or_default();
        let resource = parts.next().unwrap_or_default();
        let effect = match verb {
            "DELETE" | "EXPIRE" => Effect::Deletion,
            _ if resource == "DELETEMARKER" || resource == "MULTI_OBJECT_DELETE" => Effect::Deletion,
            "POST" if resource.starts_with("SELECT") => Effect::Read,
            // A copy is written as a reading and a writing operation.
            "COPY" if resource.ends_with("_GET") => Effect::Read,
            "PUT" | "POST" | "COPY" | "CREATE" => Effect::Change,
            _ if verb.starts_with("TRANSITION") => Effect::Change,
            _ => Effect::Read,
        };
        let object = ["OBJECT", "PART", "UPLOAD", "DELETEMARKER", "MULTI_OBJECT", "SELECT"]
            .iter()
            .any(|prefix| resource.starts_with(prefix));
        Operation { requested: interface != "S3", effect, object }
    }

    pub(crate) fn categories(self) -> &'static [Category] {
        match (self.requested, self.object, self.effect) {
            (true, true, _) => &[Category::File, Category::Web],
            (false, true, _) => &[Category::File],
            (true, false, Effect::Read) => &[Category::Web],
            (true, false, _) => &[Category::Configuration, Category::Web],
            (false, false, _) => &[Category::Configuration],
        }
    }

    /// What failed changed nothing.
    pub(crate) fn types(self, failed: bool, error: bool) -> &'static [Type] {
        match (self.requested, self.effect) {
            (true, _) if error => &[Type::Access, Type::Error],
            (true, Effect::Change) if !failed => &[Type::Access, Type::Change],
            (true, Effect::Deletion) if !failed => &[Type::Access, Type::Deletion],
            (true, _) => &[Type::Access],
            (false, Effect::Change) if !failed => &[Type::Change],
            (false, Effect::Deletion) if !failed => &[Type::Deletion],
            (false, _) => &[Type::Info],
        }
    }
}
