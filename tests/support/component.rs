//! Component files taken apart and put together again, section by section.
//!
//! Binary format: eight bytes of preamble, then sections: an id, the length of what follows (LEB128), the content. A
//! custom section (id 0) begins with its name.

const PREAMBLE: usize = 8;
const MANIFEST: &str = "weir:manifest";

/// The component with a custom section at its end.
pub(crate) fn with_section(component: &[u8], name: &str, content: &[u8]) -> Vec<u8> {
    let mut payload = Vec::new();
    push_number(&mut payload, name.len());
    payload.extend_from_slice(name.as_bytes());
    payload.extend_from_slice(content);
    let mut out = component.to_vec();
    out.push(0);
    push_number(&mut out, payload.len());
    out.extend_from_slice(&payload);
    out
}

/// The component with this manifest and no other.
pub(crate) fn with_manifest(component: &[u8], manifest: &str) -> Vec<u8> {
    let mut out = component[..PREAMBLE].to_vec();
    let mut at = PREAMBLE;
    while at < component.len() {
        let (id, start) = (component[at], at);
        let (length, content) = number(component, at + 1);
        at = content + length;
        let (name_length, name) = number(component, content);
        let is_manifest =
            id == 0 && component[name..].starts_with(MANIFEST.as_bytes()) && name_length == MANIFEST.len();
        if !is_manifest {
            out.extend_from_slice(&component[start..at]);
        }
    }
    with_section(&out, MANIFEST, manifest.as_bytes())
}

/// A manifest of a parser of lines whose one log type has its own name.
pub(crate) fn manifest(name: &str, version: &str, contract: &str) -> String {
    format!(
        "manifest = 1\nname = \"{name}\"\nversion = \"{version}\"\nteam = \"tests\"\ncontract = \"{contract}\"\n\
         log-types = [\"{name}\"]\n[framing]\nkind = \"lines\"\n"
    )
}

fn push_number(out: &mut Vec<u8>, mut number: usize) {
    while number > 0x7f {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// The LEB128 number at `at`, and where it ends.
fn number(bytes: &[u8], mut at: usize) -> (usize, usize) {
    let (mut number, mut shift) = (0, 0);
    loop {
        number |= ((bytes[at] & 0x7f) as usize) << shift;
        at += 1;
        if bytes[at - 1] & 0x80 == 0 {
            return (number, at);
        }
        shift += 7;
    }
}
