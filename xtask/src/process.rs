//! Running other programs: errors name the command, and a program that hangs is ended with all its children.

use anyhow::{Context, Result, bail};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How often a program with a time limit is looked at.
const POLL: Duration = Duration::from_millis(20);

/// Runs a program on the terminal of xtask. A failure names the command.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start `{}`", show(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status}); its messages are above", show(command));
    }
    Ok(())
}

/// Runs a program and returns its standard output. A failure names the command and ends with its standard error.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start `{}`", show(command)))?;
    checked(command, output)
}

/// Like [`output`], with nothing on standard input and a time limit, at which the program and all its children (its
/// process group) are killed.
pub(crate) fn output_within(limit: Duration, command: &mut Command) -> Result<String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().with_context(|| format!("cannot start `{}`", show(command)))?;
    // Both pipes are drained while the program runs: a full pipe would stop it.
    let stdout = child.stdout.take().map(drain);
    let stderr = child.stderr.take().map(drain);
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().context("cannot wait for a program")? {
            break status;
        }
        if started.elapsed() > limit {
            let group = format!("-{}", child.id());
            let killed = Command::new("kill").args(["-KILL", "--", &group]).status();
            if !killed.is_ok_and(|status| status.success()) {
                child.kill().context("cannot end a program")?;
            }
            child.wait().context("cannot wait for a program")?;
            bail!("`{}` did not end within {} s and was killed", show(command), limit.as_secs());
        }
        thread::sleep(POLL);
    };
    let output = Output { status, stdout: collect(stdout), stderr: collect(stderr) };
    checked(command, output)
}

/// The command as it would be typed.
pub(crate) fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Whether a program of this name can be started.
pub(crate) fn is_installed(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

type Drain = thread::JoinHandle<Vec<u8>>;

fn drain(mut pipe: impl Read + Send + 'static) -> Drain {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read until an error is all there is to show.
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}

fn collect(drain: Option<Drain>) -> Vec<u8> {
    drain.and_then(|drain| drain.join().ok()).unwrap_or_default()
}

fn checked(command: &Command, output: Output) -> Result<String> {
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed ({}): {}", show(command), output.status, last_lines(&stderr, 8));
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{}` printed no UTF-8", show(command)))
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn output_is_returned() {
        let printed = output_within(Duration::from_secs(20), &mut shell("echo out; echo err >&2")).unwrap();
        assert_eq!(printed, "out\n");
    }

    #[test]
    fn failure_ends_with_standard_error() {
        let error = output(&mut shell("echo one >&2; echo two >&2; exit 3")).unwrap_err().to_string();
        assert!(error.ends_with("one; two"), "{error}");
        assert!(error.contains("exit status: 3"), "{error}");
    }

    #[test]
    fn a_program_that_hangs_is_killed_with_its_children() {
        // The child of the shell holds the pipes open: were it left alive, draining them would wait for it.
        let started = Instant::now();
        let error = output_within(Duration::from_millis(200), &mut shell("sleep 60 & sleep 60")).unwrap_err();
        assert!(error.to_string().contains("did not end within"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(30));
    }
}
