//! Sessions and jobs: systemd-logind, login, cron.

use super::{Finding, detail, present, quoted};
use crate::text::cut;
use crate::{Category, Event, EventOutcome, Type};

/// `New session 5 of user ana.`, since systemd 254 with its class and type; `Removed session 5.`
pub(super) fn logind<'a>(text: &'a str, event: &mut Event<'_>) -> Option<Finding<'a>> {
    let (id, finding) = if let Some(rest) = text.strip_prefix("New session ") {
        let (id, rest) = cut(rest, " of user ")?;
        let user = cut(rest, " with class ").map_or(rest, |(user, _)| user).trim_end_matches('.');
        let class =
            Finding::new(&[Category::Session], &[Type::Start], "session_started", EventOutcome::Success);
        (id, Finding { user: present(user), ..class })
    } else if let Some(rest) = text.strip_prefix("Removed session ") {
        let class =
            Finding::new(&[Category::Session], &[Type::End], "session_removed", EventOutcome::Success);
        (rest.trim_end_matches('.'), class)
    } else {
        let (id, _) = text.strip_prefix("Session ")?.split_once(" logged out.")?;
        (id, Finding::new(&[Category::Session], &[Type::End], "session_logged_out", EventOutcome::Success))
    };
    detail(event, "logind", "session_id", present(id));
    Some(finding)
}

/// `LOGIN ON tty1 BY ana[ FROM host]`, `ROOT LOGIN ON tty1`, `FAILED LOGIN (1) on '/dev/tty1' FOR 'ana', REASON`,
/// `FAILED LOGIN 1 FROM host FOR ana, REASON`
pub(super) fn login<'a>(text: &'a str, event: &mut Event<'_>) -> Option<Finding<'a>> {
    let (finding, terminal) = if let Some(rest) = text.strip_prefix("FAILED LOGIN ") {
        let (place, who) = cut(rest, " FOR ")?;
        let (user, reason) = who.rsplit_once(", ").map_or((who, None), |(user, reason)| (user, Some(reason)));
        let terminal = quoted(place).next();
        let source = cut(place, " FROM ").map(|(_, from)| from).filter(|from| !from.starts_with("tty"));
        let user = present(user.trim_matches('\''));
        (Finding { reason, source, user, ..Finding::failed_login("login") }, terminal)
    } else {
        let class = Finding::new(
            &[Category::Authentication, Category::Session],
            &[Type::Start],
            "login",
            EventOutcome::Success,
        );
        if let Some(rest) = text.strip_prefix("ROOT LOGIN ") {
            let terminal = rest.strip_prefix("ON ").or_else(|| quoted(rest).next())?;
            let (terminal, source) = cut(terminal, " FROM ").map_or((terminal, None), |(a, b)| (a, Some(b)));
            (Finding { user: Some("root"), source, ..class }, Some(terminal))
        } else {
            let (terminal, who) = text.strip_prefix("LOGIN ON ")?.split_once(" BY ")?;
            let (user, source) = cut(who, " FROM ").map_or((who, None), |(user, host)| (user, Some(host)));
            (Finding { user: present(user), source, ..class }, Some(terminal))
        }
    };
    detail(event, "login", "terminal", terminal);
    Some(finding)
}

/// `(root) CMD (run-parts /etc/cron.hourly)`, `(ana) REPLACE (ana)`
pub(super) fn cron(text: &str) -> Option<Finding<'_>> {
    let (user, rest) = text.strip_prefix('(')?.split_once(") ")?;
    let (what, inside) = cut(rest, " (")?;
    let inside = inside.strip_suffix(')').unwrap_or(inside);
    let class = match what {
        "CMD" => {
            let class =
                Finding::new(&[Category::Process], &[Type::Start], "cron_command", EventOutcome::Success);
            Finding { command_line: present(inside.trim()), ..class }
        }
        // A crontab is where an intruder stays: what is replaced, and for whom.
        "REPLACE" | "DELETE" => {
            let types: &'static [Type] = if what == "DELETE" { &[Type::Deletion] } else { &[Type::Change] };
            let target = present(inside).filter(|target| *target != user);
            Finding {
                target,
                ..Finding::new(&[Category::Configuration], types, "crontab_changed", EventOutcome::Success)
            }
        }
        _ => return None,
    };
    Some(Finding { user: present(user), ..class })
}
