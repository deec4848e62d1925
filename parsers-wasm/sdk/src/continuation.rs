//! Lines that go on with the entry before: what a program wrote over several lines, read line by line.
//!
//! In a stream that is framed by lines, such as a container's, the entry before is a frame of its own, and a parser
//! sees one frame at a time. Such a line is kept with a reason that says what it is.

use crate::ParseError;

/// How the lines of stack traces begin: PHP's and Python's, Java's and JavaScript's, Ruby's.
const TRACES: [&str; 7] = [
    "Stack trace:",
    "Traceback (most recent call last)",
    "Caused by: ",
    "thrown in ",
    "at ",
    "from ",
    "File \"",
];

/// The reason for a line that is none of its format: that it continues the entry before, if it is indented or a line
/// of a stack trace, else `otherwise`. `line` as it stands, blanks included.
#[cold]
pub fn explain(line: &str, otherwise: ParseError) -> ParseError {
    let text = line.trim_start();
    let indented = text.len() < line.len();
    let numbered =
        text.strip_prefix('#').is_some_and(|frame| frame.starts_with(|c: char| c.is_ascii_digit()));
    if indented || numbered || TRACES.iter().any(|start| text.starts_with(start)) {
        ParseError::no_match("a line of an entry of several lines, which begins before it")
    } else {
        otherwise
    }
}
