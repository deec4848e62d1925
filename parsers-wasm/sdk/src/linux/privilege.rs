//! Programs that run a command with another user's rights: sudo, su, pkexec.

use super::{Finding, detail, present};
use crate::text;
use crate::text::cut;
use crate::{Category, Event, EventOutcome, Type};

const STARTED: &[Category] = &[Category::Process];
/// A refusal is found by whoever looks for failed authentication as well as by who looks for what was run.
const REFUSED: &[Category] = &[Category::Authentication, Category::Process];

/// `ana : [WHY ; ]TTY=pts/0 ; PWD=/home/ana ; USER=root ; COMMAND=/bin/ls`
pub(super) fn sudo<'a>(text: &'a str, event: &mut Event<'_>) -> Option<Finding<'a>> {
    let (user, rest) = cut(text, " : ")?;
    let user = user.trim();
    if user.is_empty() || text::has(user, b' ') || rest.is_empty() {
        return None;
    }
    if let Some(more) = rest.strip_prefix("(command continued) ") {
        detail(event, "sudo", "command_continued", Some(more));
        let class = Finding::new(STARTED, &[Type::Info], "sudo", EventOutcome::Unknown);
        return Some(Finding { user: Some(user), ..class });
    }
    let fields = SudoFields::read(rest);
    fields.write(event);
    let SudoFields { why, command, .. } = fields;
    // With a command a reason is why it was refused; without one it may be a mere warning.
    let class = match (why, command) {
        (None, _) => Finding::new(STARTED, &[Type::Start], "sudo", EventOutcome::Success),
        (Some(_), Some(_)) => Finding::new(REFUSED, &[Type::Info], "sudo", EventOutcome::Failure),
        (Some(_), None) => Finding::new(STARTED, &[Type::Info], "sudo", EventOutcome::Unknown),
    };
    // `sudo -u '#0'`: sudo logs the number that it was given for the name.
    let number = fields.user.and_then(|user| user.strip_prefix('#'));
    Some(Finding {
        user: Some(user),
        effective: fields.user.filter(|_| number.is_none()),
        effective_id: number,
        reason: why,
        command_line: command,
        working_directory: fields.directory,
        ..class
    })
}

/// What stands behind the caller: `[WHY ; ]NAME=VALUE ; … ; COMMAND=…`
#[derive(Debug, Default, PartialEq, Eq)]
struct SudoFields<'a> {
    why: Option<&'a str>,
    host: Option<&'a str>,
    terminal: Option<&'a str>,
    chroot: Option<&'a str>,
    directory: Option<&'a str>,
    user: Option<&'a str>,
    group: Option<&'a str>,
    session: Option<&'a str>,
    environment: Option<&'a str>,
    command: Option<&'a str>,
}

impl<'a> SudoFields<'a> {
    /// The first of a name counts; a directory may be called like a field.
    fn read(text: &'a str) -> Self {
        let mut fields = SudoFields::default();
        let mut rest = text;
        while !rest.is_empty() {
            // The command is the last, and may hold what separates the others.
            if let Some(command) = rest.strip_prefix("COMMAND=") {
                fields.command = present(command);
                break;
            }
            let (part, behind) = cut(rest, " ; ").unwrap_or((rest, ""));
            rest = behind;
            let (slot, value) = match text::cut(part, "=") {
                Some(("HOST", value)) => (&mut fields.host, value),
                Some(("TTY", value)) => (&mut fields.terminal, value),
                Some(("CHROOT", value)) => (&mut fields.chroot, value),
                Some(("PWD", value)) => (&mut fields.directory, value),
                Some(("USER", value)) => (&mut fields.user, value),
                Some(("GROUP", value)) => (&mut fields.group, value),
                Some(("TSID", value)) => (&mut fields.session, value),
                Some(("ENV", value)) => (&mut fields.environment, value),
                _ => (&mut fields.why, part),
            };
            if slot.is_none() {
                *slot = present(value);
            }
        }
        fields
    }

    fn write(&self, event: &mut Event<'_>) {
        event.vendor().object("sudo", |sudo| {
            sudo.optional("error", self.why)
                .optional("host", self.host)
                .optional("tty", self.terminal)
                .optional("chroot", self.chroot)
                .optional("pwd", self.directory)
                .optional("user", self.user)
                .optional("group", self.group)
                .optional("tsid", self.session)
                .optional("env", self.environment)
                .optional("command", self.command);
        });
    }
}

/// The forms of util-linux, shadow, BusyBox and the BSDs.
pub(super) fn su<'a>(text: &'a str, event: &mut Event<'_>) -> Option<Finding<'a>> {
    let (user, effective, terminal, success) = switched(text)?;
    detail(event, "su", "terminal", terminal);
    let class = if success {
        Finding::new(
            &[Category::Authentication, Category::Session],
            &[Type::Start],
            "su",
            EventOutcome::Success,
        )
    } else {
        Finding::failed_login("su")
    };
    Some(Finding { user: present(user), effective: present(effective), ..class })
}

/// Who became whom, at which terminal, and whether.
fn switched(text: &str) -> Option<(&str, &str, Option<&str>, bool)> {
    let on = |rest| match str::rsplit_once(rest, " on ") {
        Some((name, terminal)) => (name, present(terminal)),
        None => (rest, None),
    };
    let (failed, rest) = match text.strip_prefix("FAILED SU ").or_else(|| text.strip_prefix("FAILED su ")) {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    // (to root) ana on pts/0
    if let Some((effective, rest)) = rest.strip_prefix("(to ").and_then(|rest| cut(rest, ") ")) {
        let (user, terminal) = on(rest);
        return Some((user, effective, terminal, !failed));
    }
    // Successful su for root by ana; FAILED su for root by ana
    let by = rest.strip_prefix("Successful su for ").or_else(|| rest.strip_prefix("for ").filter(|_| failed));
    if let Some((effective, user)) = by.and_then(|rest| cut(rest, " by ")) {
        return Some((user, effective, None, !failed));
    }
    // 'su root' failed for ana on /dev/pts/0
    if let Some((effective, rest)) = rest.strip_prefix("'su ").and_then(|rest| cut(rest, "' failed for ")) {
        let (user, terminal) = on(rest);
        return Some((user, effective, terminal, false));
    }
    // + /dev/pts/0 ana:root; - pts/0 ana:root
    let signed =
        rest.strip_prefix("+ ").map(|rest| (true, rest)).or_else(|| Some((false, rest.strip_prefix("- ")?)));
    if let Some((success, rest)) = signed {
        let (terminal, who) = text::cut(rest, " ")?;
        let (user, effective) = text::cut(who, ":").or_else(|| text::cut(who, "-"))?;
        return Some((user, effective, present(terminal), success));
    }
    // BAD SU ana to root on /dev/ttyp0; ana to root on /dev/ttyp0
    let (success, rest) = rest.strip_prefix("BAD SU ").map_or((true, rest), |rest| (false, rest));
    let (who, terminal) = on(rest);
    let (user, effective) = cut(who, " to ")?;
    let bare = !text::has(user, b' ') && !text::has(effective, b' ') && terminal.is_some();
    bare.then_some((user, effective, terminal, success))
}

/// `ana: Executing command [USER=root] [TTY=/dev/pts/0] [CWD=/home/ana] [COMMAND=/usr/bin/id]`
pub(super) fn pkexec<'a>(text: &'a str, event: &mut Event<'_>) -> Option<Finding<'a>> {
    let (user, rest) = cut(text, ": ")?;
    let (what, rest) = cut(rest, " [USER=")?;
    let (effective, rest) = cut(rest, "] [TTY=")?;
    let (terminal, rest) = cut(rest, "] [CWD=")?;
    let (directory, command) = cut(rest, "] [COMMAND=")?;
    let command = command.strip_suffix(']').unwrap_or(command);
    detail(event, "pkexec", "terminal", present(terminal));
    let class = if what == "Executing command" {
        Finding::new(STARTED, &[Type::Start], "pkexec", EventOutcome::Success)
    } else {
        Finding {
            reason: Some(what),
            ..Finding::new(REFUSED, &[Type::Info], "pkexec", EventOutcome::Failure)
        }
    };
    Some(Finding {
        user: present(user),
        effective: present(effective),
        command_line: present(command),
        working_directory: present(directory),
        ..class
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_cannot_take_a_field_twice() {
        let fields =
            SudoFields::read("TTY=pts/0 ; PWD=/tmp/a ; TTY=x ; USER=root ; COMMAND=/bin/sh ; USER=ana");
        let expected = SudoFields {
            terminal: Some("pts/0"),
            directory: Some("/tmp/a"),
            user: Some("root"),
            command: Some("/bin/sh ; USER=ana"),
            ..SudoFields::default()
        };
        assert_eq!(fields, expected);
    }

    #[test]
    fn every_style_of_su() {
        for (text, expected) in [
            ("(to root) ana on pts/0", ("ana", "root", Some("pts/0"), true)),
            ("FAILED SU (to root) ana on pts/0", ("ana", "root", Some("pts/0"), false)),
            ("Successful su for root by ana", ("ana", "root", None, true)),
            ("FAILED su for root by ana", ("ana", "root", None, false)),
            ("+ /dev/pts/0 ana:root", ("ana", "root", Some("/dev/pts/0"), true)),
            ("- pts/0 ana-root", ("ana", "root", Some("pts/0"), false)),
            ("'su root' failed for ana on /dev/pts/0", ("ana", "root", Some("/dev/pts/0"), false)),
            ("BAD SU ana to root on /dev/ttyp0", ("ana", "root", Some("/dev/ttyp0"), false)),
            ("ana to root on /dev/ttyp0", ("ana", "root", Some("/dev/ttyp0"), true)),
        ] {
            assert_eq!(switched(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "must be run from a terminal",
            "cannot go to sleep on demand",
            "(to root",
            "pam_authenticate: x",
        ] {
            assert_eq!(switched(text), None, "{text}");
        }
    }
}
