//! Reads a head: the first line and the field lines up to the empty one. It also finds its way through a head with wrong
//! line ends, to say what is wrong with it.

use super::grammar;
use super::message::Field;

/// A head, and what is wrong with it.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// The first line.
    pub(super) start: Vec<u8>,
    /// The others.
    pub(super) fields: Vec<Field>,
    /// In words.
    pub(super) faults: Vec<String>,
    /// In bytes, the empty line included.
    pub(super) length: usize,
}

/// Reads one, when all of it is there.
pub(super) fn read(bytes: &[u8]) -> Option<Head> {
    let mut head = Head::default();
    let mut has_start = false;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        head.length += line.len();
        let line = ended(line, &mut head.faults)?;
        match (line.is_empty(), has_start) {
            (true, true) => return Some(head),
            (true, false) => head
                .faults
                .push("an empty line before the message".to_owned()),
            (false, false) => {
                check_bytes(line, &mut head.faults);
                head.start = line.to_vec();
                has_start = true;
            }
            (false, true) => head.fields.extend(field(line, &mut head.faults)),
        }
    }
    None
}

/// A line without its end; `None`: the end has not come yet.
pub(super) fn ended<'a>(line: &'a [u8], faults: &mut Vec<String>) -> Option<&'a [u8]> {
    let line = line.strip_suffix(b"\n")?;
    if let Some(line) = line.strip_suffix(b"\r") {
        return Some(line);
    }
    faults.push(format!(
        "a line that ends in a bare LF: {}",
        line.escape_ascii()
    ));
    Some(line)
}

/// Reads a field line.
pub(super) fn field(line: &[u8], faults: &mut Vec<String>) -> Option<Field> {
    let mut fault = |what: &str| faults.push(format!("{what}: {}", line.escape_ascii()));
    if line.starts_with(b" ") || line.starts_with(b"\t") {
        fault("a folded line");
        return None;
    }
    let Some(colon) = line.iter().position(|byte| *byte == b':') else {
        fault("a field line without a colon");
        return None;
    };
    let (name, value) = line.split_at(colon);
    let value = trim(value.strip_prefix(b":").unwrap_or(value));
    if !grammar::is_token(name) {
        fault("a field name that is no token");
    }
    if !grammar::is_value(value) {
        fault("a field value with a control character");
    }
    Some(Field {
        name: name.to_vec(),
        value: value.to_vec(),
    })
}

/// Without the spaces and tabs around it. No other white space exists here.
fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

fn check_bytes(line: &[u8], faults: &mut Vec<String>) {
    if line
        .iter()
        .any(|byte| byte.is_ascii_control() && *byte != b'\t')
    {
        faults.push("a control character in the first line".to_owned());
    }
}
