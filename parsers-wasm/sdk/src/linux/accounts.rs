//! The tools of the shadow suite that change users and groups.
//!
//! Most do not say who runs them: then the account is `user.name`. Where they do, the actor is `user.name` and the
//! account `user.target.name`.

use super::{Finding, present, quoted};
use crate::text;
use crate::text::cut;
use crate::{Category, Event, EventOutcome, Type};

const IAM: &[Category] = &[Category::Iam];
const USER_CREATION: &[Type] = &[Type::User, Type::Creation];
const USER_DELETION: &[Type] = &[Type::User, Type::Deletion];
const USER_CHANGE: &[Type] = &[Type::User, Type::Change];
const GROUP_CREATION: &[Type] = &[Type::Group, Type::Creation];
const GROUP_DELETION: &[Type] = &[Type::Group, Type::Deletion];
const GROUP_CHANGE: &[Type] = &[Type::Group, Type::Change];

fn done(types: &'static [Type], action: &'static str) -> Finding<'static> {
    Finding::new(IAM, types, action, EventOutcome::Success)
}

pub(super) fn understand<'a>(program: &str, text: &'a str, event: &mut Event<'_>) -> Option<Finding<'a>> {
    if let Some(rest) = text.strip_prefix("new user: ") {
        let fields = Fields::read(rest);
        fields.write("user", event);
        let (user, user_id, group_id) = (fields.name, fields.user_id, fields.group_id);
        return Some(Finding { user, user_id, group_id, ..done(USER_CREATION, "user_created") });
    }
    let group = text.strip_prefix("new group: ").or_else(|| {
        // groupadd says first which file it changed: `group added to /etc/group: name=web, GID=1002`
        text.strip_prefix("group added to ")?.split_once(": ").map(|(_, rest)| rest)
    });
    if let Some(rest) = group {
        let fields = Fields::read(rest);
        fields.write("group", event);
        return Some(Finding {
            group: fields.name,
            group_id: fields.group_id,
            ..done(GROUP_CREATION, "group_created")
        });
    }
    membership(text).or_else(|| password(text)).or_else(|| named(program, text))
}

/// `name=ana, UID=1001, GID=1001, home=/home/ana, shell=/bin/bash, from=/dev/pts/0`
#[derive(Debug, Default)]
struct Fields<'a> {
    name: Option<&'a str>,
    user_id: Option<&'a str>,
    group_id: Option<&'a str>,
    home: Option<&'a str>,
    shell: Option<&'a str>,
    from: Option<&'a str>,
}

impl<'a> Fields<'a> {
    fn read(text: &'a str) -> Self {
        let mut fields = Fields::default();
        for field in text.split(", ") {
            let Some((name, value)) = text::cut(field, "=") else { continue };
            let value = present(value);
            match name {
                "name" => fields.name = value,
                "UID" => fields.user_id = value,
                "GID" => fields.group_id = value,
                "home" => fields.home = value,
                "shell" => fields.shell = value,
                "from" => fields.from = value,
                _ => {}
            }
        }
        fields
    }

    fn write(&self, key: &str, event: &mut Event<'_>) {
        event.vendor().object(key, |account| {
            account
                .optional("name", self.name)
                .optional("uid", self.user_id)
                .optional("gid", self.group_id)
                .optional("home", self.home)
                .optional("shell", self.shell)
                .optional("from", self.from);
        });
    }
}

/// Who joins and leaves a group: `add 'ana' to group 'wheel'`, `delete 'ana' from group 'wheel'`, and gpasswd's
/// `user ana added by root to group wheel`.
fn membership(text: &str) -> Option<Finding<'_>> {
    let mut names = quoted(text);
    let added = text.starts_with("add '") && text.contains("' to ");
    if added || (text.starts_with("delete '") && text.contains("' from ")) {
        let (user, group) = (names.next()?, names.next()?);
        let action = if added { "user_added_to_group" } else { "user_removed_from_group" };
        return Some(Finding { user: Some(user), group: Some(group), ..done(GROUP_CHANGE, action) });
    }
    let rest = text.strip_prefix("user ")?;
    let (action, (target, rest)) = if let Some(split) = cut(rest, " added by ") {
        ("user_added_to_group", split)
    } else {
        ("user_removed_from_group", cut(rest, " removed by ")?)
    };
    let (actor, group) = cut(rest, " to group ").or_else(|| cut(rest, " from group "))?;
    let (user, target, group) = (present(actor), present(target), present(group));
    Some(Finding { user, target, group, ..done(GROUP_CHANGE, action) })
}

/// `password for 'ana' changed by 'root'`, `change user 'ana' password`, `changed password expiry for ana`
fn password(text: &str) -> Option<Finding<'_>> {
    if let Some(rest) = text.strip_prefix("password for ") {
        let (target, actor) = cut(rest, " changed by ")?;
        let (user, target) = (present(actor.trim_matches('\'')), present(target.trim_matches('\'')));
        return Some(Finding { user, target, ..done(USER_CHANGE, "password_changed") });
    }
    if let Some(user) = text.strip_prefix("changed password expiry for ") {
        return Some(Finding { user: present(user), ..done(USER_CHANGE, "user_changed") });
    }
    let user = text.strip_prefix("change user '")?.strip_suffix("' password")?;
    Some(Finding { user: present(user), ..done(USER_CHANGE, "password_changed") })
}

/// Everything else that names its user or group in quotes.
fn named<'a>(program: &str, text: &'a str) -> Option<Finding<'a>> {
    let name = quoted(text).next()?;
    let user = |class: Finding<'a>| Finding { user: Some(name), ..class };
    let group = |class: Finding<'a>| Finding { group: Some(name), ..class };
    if text.starts_with("failed adding user ") {
        let reason = cut(text, "', ").map(|(_, reason)| reason);
        let class = Finding::new(IAM, USER_CREATION, "user_created", EventOutcome::Failure);
        return Some(Finding { reason, ..user(class) });
    }
    if text.starts_with("delete user ") {
        return Some(user(done(USER_DELETION, "user_deleted")));
    }
    if text.starts_with("removed group ") || text.starts_with("removed shadow group ") {
        return Some(group(done(GROUP_DELETION, "group_deleted")));
    }
    if program == "groupdel" && (text.ends_with(" removed") || text.contains("' removed from ")) {
        return Some(group(done(GROUP_DELETION, "group_deleted")));
    }
    if text.starts_with("lock user ") {
        return Some(user(done(USER_CHANGE, "user_locked")));
    }
    if text.starts_with("unlock user ") {
        return Some(user(done(USER_CHANGE, "user_unlocked")));
    }
    if text.starts_with("change user ") || text.starts_with("changed user ") {
        return Some(user(done(USER_CHANGE, "user_changed")));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a>(
        program: &str,
        text: &'a str,
    ) -> (&'static str, Option<&'a str>, Option<&'a str>, Option<&'a str>) {
        let found = membership(text).or_else(|| password(text)).or_else(|| named(program, text));
        let found = found.unwrap_or_else(|| unreachable!("{text}"));
        (found.action, found.user, found.target, found.group)
    }

    #[test]
    fn who_changes_what() {
        for (program, text, expected) in [
            (
                "usermod",
                "add 'ana' to group 'wheel'",
                ("user_added_to_group", Some("ana"), None, Some("wheel")),
            ),
            (
                "usermod",
                "add 'ana' to shadow group 'wheel'",
                ("user_added_to_group", Some("ana"), None, Some("wheel")),
            ),
            (
                "userdel",
                "delete 'ana' from group 'wheel'",
                ("user_removed_from_group", Some("ana"), None, Some("wheel")),
            ),
            (
                "gpasswd",
                "user ana added by root to group wheel",
                ("user_added_to_group", Some("root"), Some("ana"), Some("wheel")),
            ),
            (
                "gpasswd",
                "user ana removed by root from group wheel",
                ("user_removed_from_group", Some("root"), Some("ana"), Some("wheel")),
            ),
            (
                "passwd",
                "password for 'ana' changed by 'root'",
                ("password_changed", Some("root"), Some("ana"), None),
            ),
            ("usermod", "change user 'ana' password", ("password_changed", Some("ana"), None, None)),
            (
                "usermod",
                "change user 'ana' shell from '/bin/sh' to '/bin/bash'",
                ("user_changed", Some("ana"), None, None),
            ),
            ("usermod", "lock user 'ana' password", ("user_locked", Some("ana"), None, None)),
            ("chage", "changed password expiry for ana", ("user_changed", Some("ana"), None, None)),
            ("userdel", "delete user 'ana'", ("user_deleted", Some("ana"), None, None)),
            ("userdel", "removed group 'ana' owned by 'ana'", ("group_deleted", None, None, Some("ana"))),
            ("groupdel", "group 'web' removed", ("group_deleted", None, None, Some("web"))),
            ("useradd", "failed adding user 'ana', exit code: 9", ("user_created", Some("ana"), None, None)),
        ] {
            assert_eq!(read(program, text), expected, "{text}");
        }
    }
}
