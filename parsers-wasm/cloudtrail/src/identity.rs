//! Who made a call: `userIdentity`.

use crate::targets::Targets;
use weir_parser_sdk::reader::{JsonText, Raw, Reader, Shape};
use weir_parser_sdk::text;
use weir_parser_sdk::{Event, aws::Arn, ecs};

/// The documented members that are objects.
pub(crate) const OBJECTS: [&str; 3] = ["sessionContext", "onBehalfOf", "inScopeOf"];

/// What `user.*` is made of.
#[derive(Default)]
pub(crate) struct Identity<'a> {
    pub(crate) account: Option<JsonText<'a>>,
    kind: Option<JsonText<'a>>,
    principal: Option<JsonText<'a>>,
    arn: Option<JsonText<'a>>,
    user: Option<JsonText<'a>>,
    issuer: Option<JsonText<'a>>,
    invoked_by: Option<JsonText<'a>>,
    on_behalf_of: Option<JsonText<'a>>,
    pub(crate) fields: u32,
    pub(crate) depth: u32,
    /// A documented member is not of its documented type.
    pub(crate) odd: bool,
    /// A member that is not documented is no text.
    pub(crate) unknown: bool,
}

impl<'a> Identity<'a> {
    /// Reads the object that `reader` stands before.
    pub(crate) fn read(reader: &mut Reader<'a>) -> Self {
        let mut identity = Identity { depth: 1, ..Identity::default() };
        reader.object();
        while let Some(key) = reader.key() {
            match key.raw() {
                "type" => identity.kind = identity.text(reader, 0),
                "principalId" => identity.principal = identity.text(reader, 0),
                "arn" => identity.arn = identity.text(reader, 0),
                "accountId" => identity.account = identity.text(reader, 0),
                "userName" => identity.user = identity.text(reader, 0),
                "invokedBy" => identity.invoked_by = identity.text(reader, 0),
                "sessionContext" if reader.peek() == b'{' => identity.read_session(reader),
                "sessionContext" | "onBehalfOf" if !matches!(reader.peek(), b'{' | b'n') => {
                    identity.odd = true;
                    identity.pass(reader, 0);
                }
                "onBehalfOf" if reader.peek() == b'{' => {
                    identity.fields += 1;
                    reader.object();
                    while let Some(key) = reader.key() {
                        match key.raw() {
                            "userId" => identity.on_behalf_of = identity.text(reader, 1),
                            _ => identity.pass(reader, 1),
                        }
                    }
                }
                "inScopeOf" if matches!(reader.peek(), b'{' | b'n') => identity.pass(reader, 0),
                _ => {
                    let value = identity.value(reader, 0);
                    identity.unknown |= !matches!(value.shape, Shape::String | Shape::Null);
                }
            }
        }
        identity
    }

    fn read_session(&mut self, reader: &mut Reader<'a>) {
        self.fields += 1;
        reader.object();
        while let Some(key) = reader.key() {
            if key.raw() == "sessionIssuer" && reader.peek() == b'{' {
                self.fields += 1;
                reader.object();
                while let Some(key) = reader.key() {
                    match key.raw() {
                        "userName" => self.issuer = self.text(reader, 2),
                        _ => self.pass(reader, 2),
                    }
                }
            } else {
                self.pass(reader, 1);
            }
        }
    }

    /// Reads one member's text, `level` levels inside the identity, if it says something.
    #[inline]
    fn text(&mut self, reader: &mut Reader<'a>, level: u32) -> Option<JsonText<'a>> {
        let value = self.value(reader, level);
        self.odd |= !matches!(value.shape, Shape::String | Shape::Null);
        value.scalar().filter(|text| !text.is_absent())
    }

    /// Reads one member that no field is made of.
    #[inline]
    fn pass(&mut self, reader: &mut Reader<'a>, level: u32) {
        self.value(reader, level);
    }

    #[inline]
    fn value(&mut self, reader: &mut Reader<'a>, level: u32) -> Raw<'a> {
        let value = reader.value();
        self.fields += 1 + value.fields;
        self.depth = self.depth.max(1 + level + value.depth);
        value
    }

    /// The short name by which an analyst knows the caller: the user's own name, the role's for an assumed role, what
    /// the ARN ends in, or the AWS service.
    fn name(&self) -> Option<JsonText<'a>> {
        let kind = self.kind.map(JsonText::raw).unwrap_or_default();
        if kind == "Root" {
            // `userName` would be the account's alias.
            return Some(JsonText::from_raw("root"));
        }
        let issuer = self.issuer.filter(|_| matches!(kind, "AssumedRole" | ""));
        self.user.or(issuer).or_else(|| self.arn.and_then(name_in_arn)).or(self.invoked_by)
    }

    /// What tells apart those who share a role: the session's name, behind the colon of the principal's id.
    fn session(&self) -> Option<JsonText<'a>> {
        let principal = self.principal?;
        let raw = principal.raw();
        let session = raw.get(memchr::memrchr(b':', raw.as_bytes())? + 1..)?;
        Some(principal.part(session))
    }

    /// Writes `user.*` and `related.user`.
    pub(crate) fn write(&self, targets: &Targets<'a>, event: &mut Event<'_>) {
        let name = self.name();
        event.set_text(ecs::USER_NAME, name);
        event.set_text(ecs::USER_ID, self.principal.or(self.on_behalf_of));
        event.set_text(ecs::USER_EFFECTIVE_NAME, targets.effective_user);
        event.set_text(ecs::USER_TARGET_NAME, targets.user);
        event.set_text(ecs::USER_TARGET_ID, targets.user_id);
        event.set_text(ecs::USER_CHANGES_NAME, targets.new_user);
        let users = [
            name,
            self.user,
            self.session(),
            targets.effective_user,
            targets.session,
            targets.user,
            targets.new_user,
        ];
        for user in users.into_iter().flatten() {
            event.related_user(&user.unescape());
        }
    }
}

/// The name in `arn:aws:iam::111122223333:user/path/name`, `…:assumed-role/ROLE/SESSION`, `…:federated-user/name`,
/// `…:root`.
pub(crate) fn name_in_arn(arn: JsonText<'_>) -> Option<JsonText<'_>> {
    let resource = Arn::parse(arn.raw())?.resource;
    let name = match text::cut(resource, "/") {
        // A slash may be escaped.
        Some(("assumed-role" | "assumed-role\\", rest)) => rest.split('/').next()?,
        Some((_, rest)) => rest.rsplit('/').next()?,
        None => resource,
    };
    Some(arn.part(name)).filter(|name| !name.is_absent())
}
