//! Taking a line apart. S3 escapes nothing: request, referrer and user agent may hold quotes and blanks, and the ARN of
//! a CloudFront identity holds blanks without any quotes. So what follows tells where such a field ends.

use crate::columns::{COLUMNS, Field};
use weir_parser_sdk::ParseError;
use weir_parser_sdk::positional::Record;
use weir_parser_sdk::quoted::Splitter;
use weir_parser_sdk::text;

pub(crate) type Line<'a> = Record<'a, { COLUMNS.len() }>;

/// Takes the known fields; the splitter is left at what follows them.
pub(crate) fn read<'a>(splitter: &mut Splitter<'a>) -> Result<Line<'a>, ParseError> {
    let mut line = Line::new(COLUMNS);
    line.read(splitter, Field::Time as usize);
    let Some(time) = splitter.bracketed() else {
        return Err(ParseError::no_match("expected a bucket's owner, a bucket and a time in brackets"));
    };
    line.push(time);
    line.read(splitter, Field::Requester as usize);
    for token in
        [splitter.bare_before(is_request_and_operation), splitter.bare(), splitter.bare(), splitter.bare()]
    {
        let Some(token) = token else { return Ok(line) };
        line.push(token);
    }
    let Some(request) = splitter.token_before(is_status) else { return Ok(line) };
    line.push(request);
    line.read(splitter, Field::Referrer as usize);
    let Some(referrer) = splitter.token_before(is_agent) else { return Ok(line) };
    line.push(referrer);
    let Some(agent) = splitter.token_before(is_version_host_and_signature) else { return Ok(line) };
    line.push(agent);
    line.read(splitter, COLUMNS.len());
    Ok(line)
}

/// `3E57427F3EXAMPLE REST.GET.OBJECT …`
fn is_request_and_operation(rest: &str) -> bool {
    let Some((request, rest)) = text::cut(rest, " ") else { return false };
    let operation = rest.split(' ').next().unwrap_or_default();
    request.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-')
        && operation.as_bytes().first().is_some_and(u8::is_ascii_uppercase)
        && text::has(operation, b'.')
}

/// `200 …`, `- …`
fn is_status(rest: &str) -> bool {
    let status = rest.split(' ').next().unwrap_or_default();
    status == "-" || (status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `"curl/8.5.0" …`, `- …`
fn is_agent(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('"') || rest == "-" || rest.starts_with("- ")
}

/// `3HL4kqtJvjVBH40Nrjfkd s9lzHYrFp76ZVxRc…= SigV4 …`, or as much of it as older lines have.
fn is_version_host_and_signature(rest: &str) -> bool {
    let mut fields = rest.split(' ');
    let mut next = || fields.next().unwrap_or("-");
    let (version, host, signature) = (next(), next(), next());
    let plain = |text: &str| !text::has(text, b'"');
    plain(version) && plain(host) && (signature == "-" || signature.starts_with("Sig"))
}
