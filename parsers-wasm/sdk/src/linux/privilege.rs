//! Programs that run a command with another user's rights: sudo, su, pkexec.

use super::{Finding, detail, present};
use crate::{Category, Event, EventOutcome, Type};

const STARTED: &[Category] = &[Category::Process];
/// A refusal is found by whoever looks for failed authentication as well as by who looks for what was run.
const REFUSED: &[Category] = &[Category::Authentication, Category::Process];

/// `ana : [WHY ; ]TTY=pts/0 ; PWD=/home/ana ; USER=root ; COMMAND=/bin/ls`
pub(super) fn sudo<'a>(text: &'a str, event: &mut Event<'_>) -> Option<Finding<'a>> {
    let (user, rest) = text.split_once(" : ")?;
    let user = user.trim();
    if user.is_empty() || user.contains(' ') || rest.is_empty() {
        return None;
    }
    if let Some(more) = rest.strip_prefix("(command continued) ") {
        detail(event, "sudo", "command_continued", Some(more));
        let class = Finding::new(STARTED, &[Type::Info], "sudo", EventOutcome::Unknown);
        return Some(Finding { user: Some(user), ..class });
    }
    let (mut why, mut directory, mut effective, mut command) = (None, None, None, None);
    let mut rest = rest;
    event.vendor().object("sudo", |sudo| {
        while !rest.is_empty() {
            // The command is the last, and may hold what separates the others.
            if let Some(text) = rest.strip_prefix("COMMAND=") {
                command = present(text);
                sudo.optional("command", command);
                break;
            }
            let (part, behind) = rest.split_once(" ; ").unwrap_or((rest, ""));
            rest = behind;
            match part.split_once('=') {
                Some(("TTY", value)) => sudo.optional("tty", present(value)),
                Some(("PWD", value)) => {
                    directory = present(value);
                    sudo.optional("pwd", directory)
                }
                Some(("USER", value)) => {
                    effective = present(value);
                    sudo.optional("user", effective)
                }
                Some(("GROUP", value)) => sudo.optional("group", present(value)),
                Some(("HOST", value)) => sudo.optional("host", present(value)),
                Some(("CHROOT", value)) => sudo.optional("chroot", present(value)),
                Some(("TSID", value)) => sudo.optional("tsid", present(value)),
                Some(("ENV", value)) => sudo.optional("env", present(value)),
                _ => match why {
                    // A key must not be written twice.
                    None => {
                        why = Some(part);
                        sudo.string("error", part)
                    }
                    Some(_) => sudo,
                },
            };
        }
    });
    // With a command a reason is why it was refused; without one it may be a mere warning.
    let class = match (why, command) {
        (None, _) => Finding::new(STARTED, &[Type::Start], "sudo", EventOutcome::Success),
        (Some(_), Some(_)) => Finding::new(REFUSED, &[Type::Info], "sudo", EventOutcome::Failure),
        (Some(_), None) => Finding::new(STARTED, &[Type::Info], "sudo", EventOutcome::Unknown),
    };
    Some(Finding {
        user: Some(user),
        effective,
        reason: why,
        command_line: command,
        working_directory: directory,
        ..class
    })
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
    if let Some((effective, rest)) = rest.strip_prefix("(to ").and_then(|rest| rest.split_once(") ")) {
        let (user, terminal) = on(rest);
        return Some((user, effective, terminal, !failed));
    }
    // Successful su for root by ana; FAILED su for root by ana
    let by = rest.strip_prefix("Successful su for ").or_else(|| rest.strip_prefix("for ").filter(|_| failed));
    if let Some((effective, user)) = by.and_then(|rest| rest.split_once(" by ")) {
        return Some((user, effective, None, !failed));
    }
    // 'su root' failed for ana on /dev/pts/0
    if let Some((effective, rest)) =
        rest.strip_prefix("'su ").and_then(|rest| rest.split_once("' failed for "))
    {
        let (user, terminal) = on(rest);
        return Some((user, effective, terminal, false));
    }
    // + /dev/pts/0 ana:root; - pts/0 ana:root
    let signed =
        rest.strip_prefix("+ ").map(|rest| (true, rest)).or_else(|| Some((false, rest.strip_prefix("- ")?)));
    if let Some((success, rest)) = signed {
        let (terminal, who) = rest.split_once(' ')?;
        let (user, effective) = who.split_once(':').or_else(|| who.split_once('-'))?;
        return Some((user, effective, present(terminal), success));
    }
    // BAD SU ana to root on /dev/ttyp0; ana to root on /dev/ttyp0
    let (success, rest) = rest.strip_prefix("BAD SU ").map_or((true, rest), |rest| (false, rest));
    let (who, terminal) = on(rest);
    let (user, effective) = who.split_once(" to ")?;
    let bare = !user.contains(' ') && !effective.contains(' ') && terminal.is_some();
    bare.then_some((user, effective, terminal, success))
}

/// `ana: Executing command [USER=root] [TTY=/dev/pts/0] [CWD=/home/ana] [COMMAND=/usr/bin/id]`
pub(super) fn pkexec<'a>(text: &'a str, event: &mut Event<'_>) -> Option<Finding<'a>> {
    let (user, rest) = text.split_once(": ")?;
    let (what, rest) = rest.split_once(" [USER=")?;
    let (effective, rest) = rest.split_once("] [TTY=")?;
    let (terminal, rest) = rest.split_once("] [CWD=")?;
    let (directory, command) = rest.split_once("] [COMMAND=")?;
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
