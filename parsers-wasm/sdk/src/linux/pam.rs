//! PAM modules: `pam_unix(sshd:session): session opened for user ana by (uid=0)` and the like, whichever program they
//! speak in.

use super::{Finding, present};
use crate::text;
use crate::text::cut;
use crate::{Category, Event, EventOutcome, ObjectWriter, Type};

/// Where a module was called: `pam_unix(sshd:auth)`.
#[derive(Debug, Clone, Copy)]
struct Stack<'a> {
    module: &'a str,
    service: &'a str,
    phase: &'a str,
}

impl Stack<'_> {
    /// Whether the user named is whose rights the caller takes, rather than who comes in.
    fn changes_user(self) -> bool {
        let service = self.service.split('-').next().unwrap_or_default();
        matches!(service, "sudo" | "su" | "doas" | "pkexec" | "runuser")
    }
}

/// `logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.1  user=ana`
#[derive(Debug, Default)]
struct Pairs<'a> {
    logname: Option<&'a str>,
    uid: Option<&'a str>,
    euid: Option<&'a str>,
    tty: Option<&'a str>,
    ruser: Option<&'a str>,
    rhost: Option<&'a str>,
    user: Option<&'a str>,
}

impl<'a> Pairs<'a> {
    fn read(text: &'a str) -> Self {
        let mut pairs = Pairs::default();
        // A user's name is the last and may hold blanks.
        let (text, user) = match cut(text, " user=") {
            Some((text, user)) => (text, present(user.trim())),
            None => (text, None),
        };
        pairs.user = user;
        for pair in text.split_ascii_whitespace() {
            let Some((name, value)) = text::cut(pair, "=") else { continue };
            let value = present(value);
            match name {
                "logname" => pairs.logname = value,
                "uid" => pairs.uid = value,
                "euid" => pairs.euid = value,
                "tty" => pairs.tty = value,
                "ruser" => pairs.ruser = value,
                "rhost" => pairs.rhost = value,
                _ => {}
            }
        }
        pairs
    }

    fn write(&self, pam: &mut ObjectWriter<'_>) {
        pam.optional("logname", self.logname)
            .optional("uid", self.uid)
            .optional("euid", self.euid)
            .optional("tty", self.tty)
            .optional("ruser", self.ruser)
            .optional("rhost", self.rhost)
            .optional("user", self.user);
    }
}

/// A message that begins with `pam_`.
pub(super) fn understand<'a>(text: &'a str, event: &mut Event<'_>) -> Option<Finding<'a>> {
    let (module, rest) = text::cut(text, "(")?;
    let (inside, message) = cut(rest, "): ")?;
    let (service, phase) = text::cut(inside, ":").unwrap_or((inside, ""));
    if text::has(module, b' ') || text::has(service, b' ') {
        return None;
    }
    describe(Stack { module, service, phase }, message, event)
}

/// A message whose module stands in the tag, as before Linux-PAM 0.99: `su(pam_unix)[7]: session opened …`.
pub(super) fn understand_old<'a>(
    service: &str,
    module: &str,
    text: &'a str,
    event: &mut Event<'_>,
) -> Option<Finding<'a>> {
    let phase = if text.starts_with("session ") { "session" } else { "auth" };
    // The tag names the module without its prefix, since that is where it was split.
    let module = format!("pam_{module}");
    describe(Stack { module: &module, service, phase }, text, event)
}

fn describe<'a>(stack: Stack<'_>, text: &'a str, event: &mut Event<'_>) -> Option<Finding<'a>> {
    let mut pairs = Pairs::default();
    let mut by_id = None;
    let finding = message(stack, text, &mut pairs, &mut by_id);
    event.vendor().object("pam", |pam| {
        pam.string("module", stack.module)
            .string("service", stack.service)
            .optional("type", present(stack.phase))
            .optional("by_uid", by_id);
        pairs.write(pam);
    });
    finding
}

fn message<'a>(
    stack: Stack<'_>,
    text: &'a str,
    pairs: &mut Pairs<'a>,
    by_id: &mut Option<&'a str>,
) -> Option<Finding<'a>> {
    let login = || Finding::failed_login("pam_authentication");
    if let Some(rest) = text.strip_prefix("session opened for user ") {
        return Some(opened(stack, rest, by_id));
    }
    if let Some(user) = text.strip_prefix("session closed for user ") {
        let (user, user_id) = split_id(user);
        let class = Finding::new(&[Category::Session], &[Type::End], "session_closed", EventOutcome::Success);
        return Some(Finding { user: present(user), user_id, ..class });
    }
    if let Some(rest) = text.strip_prefix("authentication failure; ") {
        *pairs = Pairs::read(rest);
        let class = Finding { reason: Some("authentication failure"), ..login() };
        return Some(with_pairs(stack.changes_user(), pairs, &class));
    }
    if let Some(rest) = text.strip_prefix("authentication success; ") {
        *pairs = Pairs::read(rest);
        let class = Finding::new(
            &[Category::Authentication],
            &[Type::Start],
            "pam_authentication",
            EventOutcome::Success,
        );
        return Some(with_pairs(stack.changes_user(), pairs, &class));
    }
    if text == "check pass; user unknown" {
        return Some(Finding { reason: Some("user unknown"), ..login() });
    }
    if let Some(rest) = text.strip_prefix("password changed for ") {
        let class = Finding::new(
            &[Category::Iam],
            &[Type::User, Type::Change],
            "password_changed",
            EventOutcome::Success,
        );
        return Some(Finding { user: present(rest), ..class });
    }
    if let Some(rest) = text.strip_prefix("requirement ") {
        let (_, user) = cut(rest, " by user ")?;
        return text.contains(" not met by ").then(|| Finding {
            user: present(user.trim_matches('"')),
            reason: Some("requirement not met"),
            ..login()
        });
    }
    if let Some(user) = text.strip_prefix("auth could not identify password for ") {
        let user = user.trim_start_matches('[').trim_end_matches(']');
        return Some(Finding { user: present(user), reason: Some("could not identify password"), ..login() });
    }
    if let Some(rest) = text.strip_prefix("Consecutive login failures for user ") {
        let (user, _) = text::cut(rest, " ")?;
        let reason = Some("consecutive login failures");
        return Some(Finding { user: present(user), reason, ..Finding::failed_login("account_locked") });
    }
    if let Some(rest) = text.strip_prefix("user ") {
        // pam_tally2: `user ana (1001) tally 6, deny 5`
        let (user, rest) = cut(rest, " (")?;
        let (id, reason) = cut(rest, ") ")?;
        return reason.starts_with("tally ").then(|| Finding {
            user: present(user),
            user_id: present(id),
            reason: Some(reason),
            ..Finding::failed_login("account_locked")
        });
    }
    if let Some(rest) = text.strip_prefix("received for user ") {
        // pam_sss: `received for user ana: 7 (Authentication failure)`
        let (user, rest) = cut(rest, ": ")?;
        let reason = text::cut(rest, "(").map(|(_, reason)| reason.trim_end_matches(')'));
        return Some(Finding { user: present(user), reason, ..login() });
    }
    denied(text)
}

/// pam_access: ``access denied for user `ana' from `192.0.2.1'``; pam_sss: `Access denied for user ana: 6 (…)`;
/// pam_unix: `account ana has expired (…)`.
fn denied(text: &str) -> Option<Finding<'_>> {
    let class = Finding::failed_login("access_denied");
    if let Some(rest) = text.strip_prefix("access denied for user ") {
        let (user, source) = cut(rest, " from ")?;
        let unquoted = |name| present(bare(name));
        return Some(Finding {
            user: unquoted(user),
            source: unquoted(source),
            reason: Some("access denied"),
            ..class
        });
    }
    if let Some(rest) = text.strip_prefix("Access denied for user ") {
        let (user, reason) = cut(rest, ": ")?;
        return Some(Finding { user: present(user), reason: present(reason), ..class });
    }
    let (user, reason) = text.strip_prefix("account ")?.split_once(' ')?;
    reason.starts_with("has expired").then(|| Finding {
        user: present(user),
        reason: Some("account has expired"),
        ..class
    })
}

/// A name without the quotes of syslog's old style, `` `ana' ``.
fn bare(name: &str) -> &str {
    name.strip_prefix('`').and_then(|inside| inside.strip_suffix('\'')).unwrap_or(name)
}

/// OpenSSH's `PAM N more authentication failures; logname= …`, without the `PAM `.
pub(super) fn more_failures<'a>(rest: &'a str, event: &mut Event<'_>) -> Option<Finding<'a>> {
    let (count, rest) = cut(rest, " more authentication failure")?;
    let (_, rest) = cut(rest, "; ")?;
    if count.is_empty() || count.len() > 9 || !count.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let pairs = Pairs::read(rest);
    event.vendor().object("pam", |pam| {
        pairs.write(pam.number_or_string("more_failures", count));
    });
    let reason = Some("more authentication failures");
    Some(with_pairs(false, &pairs, &Finding { reason, ..Finding::failed_login("pam_authentication") }))
}

fn with_pairs<'a>(changes_user: bool, pairs: &Pairs<'a>, finding: &Finding<'a>) -> Finding<'a> {
    // The caller is `ruser`, at a terminal `logname` where a program does not tell.
    let caller = pairs.ruser.or(pairs.logname).filter(|_| changes_user);
    match caller {
        Some(caller) => Finding {
            user: Some(caller),
            user_id: pairs.uid.filter(|_| pairs.ruser.is_some()),
            // sudo asks for the caller's own password.
            effective: pairs.user.filter(|user| *user != caller),
            source: pairs.rhost,
            ..*finding
        },
        None => Finding { user: pairs.user, source: pairs.rhost, ..*finding },
    }
}

/// `USER[(uid=N)][ by [CALLER](uid=N)]`
fn opened<'a>(stack: Stack<'_>, rest: &'a str, by_id: &mut Option<&'a str>) -> Finding<'a> {
    let (user, caller) = rest.rsplit_once(" by ").map_or((rest, None), |(user, by)| (user, Some(by)));
    let (user, user_id) = split_id(user);
    let (caller, caller_id) = caller.map(split_id).unwrap_or_default();
    *by_id = caller_id;
    let class = Finding::new(&[Category::Session], &[Type::Start], "session_opened", EventOutcome::Success);
    // `login` calls itself LOGIN; cron, sshd and systemd open a user's session as root or in the user's own name.
    if stack.changes_user() && !caller.is_empty() {
        return Finding {
            user: Some(caller),
            user_id: caller_id,
            effective: present(user),
            effective_id: user_id,
            ..class
        };
    }
    Finding { user: present(user), user_id, ..class }
}

/// `ana(uid=1000)`
fn split_id(text: &str) -> (&str, Option<&str>) {
    let text = text.trim();
    match cut(text, "(uid=") {
        Some((name, id)) => (name, id.strip_suffix(')').and_then(present)),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a>(service: &'a str, text: &'a str) -> Finding<'a> {
        let stack = Stack { module: "pam_unix", service, phase: "x" };
        message(stack, text, &mut Pairs::default(), &mut None).unwrap_or_else(|| unreachable!("{text}"))
    }

    #[test]
    fn who_opens_a_session_for_whom() {
        for (service, text, user, id, effective) in [
            (
                "sudo",
                "session opened for user root by ana(uid=1000)",
                Some("ana"),
                Some("1000"),
                Some("root"),
            ),
            (
                "su-l",
                "session opened for user root(uid=0) by ana(uid=1000)",
                Some("ana"),
                Some("1000"),
                Some("root"),
            ),
            ("sudo", "session opened for user root by (uid=1000)", Some("root"), None, None),
            ("sshd", "session opened for user ana(uid=1000) by (uid=0)", Some("ana"), Some("1000"), None),
            (
                "systemd-user",
                "session opened for user ana(uid=1000) by ana(uid=0)",
                Some("ana"),
                Some("1000"),
                None,
            ),
            ("login", "session opened for user ana by LOGIN(uid=0)", Some("ana"), None, None),
            ("cron", "session opened for user root", Some("root"), None, None),
        ] {
            let finding = read(service, text);
            assert_eq!((finding.user, finding.user_id, finding.effective), (user, id, effective), "{text}");
        }
    }

    #[test]
    fn who_failed_to_become_whom() {
        let su = read(
            "su",
            "authentication failure; logname=ana uid=1000 euid=0 tty=pts/0 ruser=ana rhost=  user=root",
        );
        assert_eq!(
            (su.user, su.user_id, su.effective, su.source),
            (Some("ana"), Some("1000"), Some("root"), None)
        );
        let ssh = read(
            "sshd",
            "authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.1  user=root",
        );
        assert_eq!(
            (ssh.user, ssh.user_id, ssh.effective, ssh.source),
            (Some("root"), None, None, Some("192.0.2.1"))
        );
        let unknown =
            read("sshd", "authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.1 ");
        assert_eq!((unknown.user, unknown.source), (None, Some("192.0.2.1")));
    }

    #[test]
    fn denials() {
        let access = read("sshd", "access denied for user `ana' from `192.0.2.1'");
        assert_eq!((access.user, access.source), (Some("ana"), Some("192.0.2.1")));
        let tally = read("sshd", "user ana (1001) tally 6, deny 5");
        assert_eq!(
            (tally.user, tally.user_id, tally.reason),
            (Some("ana"), Some("1001"), Some("tally 6, deny 5"))
        );
        assert_eq!(read("sshd", "account ana has expired (account expired)").user, Some("ana"));
    }
}
