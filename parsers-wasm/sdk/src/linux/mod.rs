//! What Linux programs say in syslog about logins, privileges, sessions and accounts, as ECS events.
//!
//! `linux-secure` and `linux-syslog` read the same lines from different files, so both call [`write_event`]; this
//! module lives in the SDK because a parser component cannot link another one. A line whose program or message is not
//! understood is an event all the same: host, process and text.
//!
//! Names in messages come from whoever tries to log in, so a message is never split at the first thing that looks
//! like an address: see `sshd.rs`.

mod accounts;
mod pam;
mod privilege;
mod session;
mod sshd;

use crate::syslog::{Head, Scope};
use crate::text;
use crate::text::cut;
use crate::{
    Category, Event, EventOutcome, Frame, Kind, Outcome, ParseError, SOURCE, Skip, Type, aws, ecs,
    without_padding,
};

/// What a message says. Empty and absent members are not set in the event.
#[derive(Debug, Clone, Copy, Default)]
struct Finding<'a> {
    categories: &'static [Category],
    types: &'static [Type],
    action: &'static str,
    outcome: Option<EventOutcome>,
    reason: Option<&'a str>,
    /// Address or name of the remote side.
    source: Option<&'a str>,
    source_port: Option<&'a str>,
    /// The remote side's name, where the message has its address too.
    source_domain: Option<&'a str>,
    /// Who acts, or tries to log in; of an account that is changed by nobody named, the account.
    user: Option<&'a str>,
    user_id: Option<&'a str>,
    /// Whose rights the actor takes.
    effective: Option<&'a str>,
    effective_id: Option<&'a str>,
    /// The account that a named actor changes.
    target: Option<&'a str>,
    group: Option<&'a str>,
    group_id: Option<&'a str>,
    command_line: Option<&'a str>,
    working_directory: Option<&'a str>,
    /// `error` or `fatal`, where the program says so itself.
    level: Option<&'static str>,
}

impl Finding<'_> {
    fn new(
        categories: &'static [Category],
        types: &'static [Type],
        action: &'static str,
        outcome: EventOutcome,
    ) -> Self {
        Finding { categories, types, action, outcome: Some(outcome), ..Finding::default() }
    }

    /// A failed attempt to prove who one is. It begins nothing, so its type is `info`.
    fn failed_login(action: &'static str) -> Self {
        Finding::new(&[Category::Authentication], &[Type::Info], action, EventOutcome::Failure)
    }
}

/// Parses one line of syslog.
///
/// # Errors
/// When the line has no syslog head.
pub fn write_event(frame: &Frame<'_>, event: &mut Event<'_>) -> Result<Outcome, ParseError> {
    let line = frame.text();
    let line = without_padding(line.trim_end_matches(['\r', '\n', ' ', '\t', '\0']));
    if line.is_empty() {
        return Ok(Outcome::Skipped(Skip::Empty));
    }
    // journalctl marks a boot or the beginning of its output in a line of its own.
    if line.starts_with("-- ") && line.ends_with(" --") {
        return Ok(Outcome::Skipped(Skip::Comment));
    }
    let head = Head::parse(line, &Scope::of(event.context()))?;
    let (repeated, text) = strip_repeated(head.text);
    if let Some(times) = repeated {
        event.vendor().number_or_string("repeated", times);
    }
    if head.structured_data.is_some() {
        head.write_structured_data(&mut event.vendor());
    }
    let finding = understand(head.program.unwrap_or_default(), text, event).unwrap_or_default();
    write(&head, &finding, frame.wrapper_time(), event);
    Ok(Outcome::Event)
}

/// Reads the message of a program, and writes its details to the vendor's tree. `None` when it is not understood.
fn understand<'a>(program: &str, text: &'a str, event: &mut Event<'_>) -> Option<Finding<'a>> {
    // Cron and others are named by their path; old PAM puts its module into the tag.
    let name = text::cut_last(program, "/").map_or(program, |(_, name)| name);
    if let Some((service, module)) = cut(name, "(pam_") {
        return pam::understand_old(service, module.trim_end_matches(')'), text, event);
    }
    if text.starts_with("pam_") {
        return pam::understand(text, event);
    }
    match name {
        "sshd" | "sshd-session" | "sshd-auth" => sshd::understand(text, event),
        "sudo" => privilege::sudo(text, event),
        "su" | "su-l" | "runuser" => privilege::su(text, event),
        "pkexec" => privilege::pkexec(text, event),
        "systemd-logind" => session::logind(text, event),
        "login" => session::login(text, event),
        "CRON" | "cron" | "crond" | "crontab" | "anacron" => session::cron(text),
        "useradd" | "userdel" | "usermod" | "groupadd" | "groupdel" | "groupmod" | "gpasswd" | "passwd"
        | "chage" | "chfn" | "chsh" | "newusers" | "chpasswd" => accounts::understand(name, text, event),
        _ => sshd::refused(text),
    }
}

/// rsyslog's `message repeated 3 times: [ text]`: the number and the text. The number alone of the older
/// `last message repeated 3 times`.
fn strip_repeated(text: &str) -> (Option<&str>, &str) {
    let strip = || {
        let rest = text.trim_start_matches("--- ");
        let rest =
            rest.strip_prefix("message repeated ").or_else(|| rest.strip_prefix("last message repeated "))?;
        let (times, behind) = text::cut(rest, " ")?;
        if times.is_empty() || times.len() > 9 || !times.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let inner = behind.strip_prefix("times: [").and_then(|inner| inner.strip_suffix(']'));
        Some((Some(times), inner.map_or(text, |inner| inner.trim_matches(' '))))
    };
    // The first word tells nearly every other message.
    if matches!(text.as_bytes().first(), Some(b'm' | b'l' | b'-')) {
        strip().unwrap_or((None, text))
    } else {
        (None, text)
    }
}

/// Writes the event in the table's order.
fn write(head: &Head<'_>, finding: &Finding<'_>, wrapper_time: Option<i64>, event: &mut Event<'_>) {
    if finding.categories.is_empty() {
        event.categorize(Kind::Event, &[Category::Host], &[Type::Info]);
    } else {
        event.categorize(Kind::Event, finding.categories, finding.types);
    }
    event.set_some(ecs::EVENT_ACTION, Some(finding.action));
    if let Some(outcome) = finding.outcome {
        event.set(ecs::EVENT_OUTCOME, outcome);
    }
    event.set_some(ecs::EVENT_REASON, finding.reason);
    if let Some(time) = head.time.or(wrapper_time) {
        event.timestamp(time);
    }
    event.set(ecs::MESSAGE, head.text);
    if let Some(source) = finding.source {
        write_source(source, finding.source_port, event);
    }
    if let Some(domain) = finding.source_domain {
        event.set(ecs::SOURCE_DOMAIN, domain);
        event.related_host(domain);
    }
    event.set_some(ecs::USER_NAME, finding.user);
    event.set_some(ecs::USER_ID, finding.user_id);
    event.set_some(ecs::USER_EFFECTIVE_NAME, finding.effective);
    event.set_some(ecs::USER_EFFECTIVE_ID, finding.effective_id);
    event.set_some(ecs::USER_TARGET_NAME, finding.target);
    for user in [finding.user, finding.effective, finding.target].into_iter().flatten() {
        if !user.is_empty() && user != "-" {
            event.related_user(user);
        }
    }
    event.set_some(ecs::GROUP_NAME, finding.group);
    event.set_some(ecs::GROUP_ID, finding.group_id);
    head.set_process(event, finding.command_line, finding.working_directory);
    head.set_host(event);
    head.set_log(event, finding.level);
    aws::set_instance(event);
}

/// Sets `source.*`. OpenSSH writes `UNKNOWN` for a peer that is gone.
fn write_source(address: &str, port: Option<&str>, event: &mut Event<'_>) {
    if address != "UNKNOWN" && !address.is_empty() {
        event.set_endpoint(SOURCE, address, port);
    }
}

/// `None` for an empty text.
fn present(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// Writes one member under `group` in the vendor's tree, if there is a value.
fn detail(event: &mut Event<'_>, group: &str, key: &str, value: Option<&str>) {
    if value.is_some() {
        event.vendor().object(group, |object| {
            object.optional(key, value);
        });
    }
}

/// The texts in single quotes, as the shadow tools write names.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('\'').skip(1).step_by(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_messages_are_unpacked() {
        assert_eq!(strip_repeated("message repeated 2 times: [ Failed x]"), (Some("2"), "Failed x"));
        assert_eq!(
            strip_repeated("last message repeated 3 times"),
            (Some("3"), "last message repeated 3 times")
        );
        assert_eq!(
            strip_repeated("--- last message repeated 1 time ---"),
            (Some("1"), "--- last message repeated 1 time ---")
        );
        for other in [
            "message repeated x times",
            "message repeated",
            "message repeated 1234567890 times",
            "Failed",
            "",
        ] {
            assert_eq!(strip_repeated(other), (None, other));
        }
    }
}
