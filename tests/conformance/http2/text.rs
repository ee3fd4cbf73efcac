//! The small language of texts in case files: escapes, quotation marks, numbers.

use anyhow::{Context, Result, bail};

/// The bytes that a text with escapes means.
pub(super) fn unescape(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next() {
            Some(b'r') => b'\r',
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'0') => 0,
            Some(same @ (b'\\' | b'"')) => same,
            Some(b'x') => {
                let digits = [rest.next(), rest.next()].map(Option::unwrap_or_default);
                let digits = std::str::from_utf8(&digits).context("\\x")?;
                u8::from_str_radix(digits, 16).context("\\x takes two digits")?
            }
            _ => bail!("an escape that nobody knows: {text}"),
        });
    }
    Ok(bytes)
}

/// The texts in quotation marks of a line, still escaped, and what stands before the first.
pub(super) fn quoted(line: &str) -> Result<(&str, Vec<&str>)> {
    let (before, mut rest) = line.split_at(line.find('"').unwrap_or(line.len()));
    let mut texts = Vec::new();
    while let Some(open) = rest.strip_prefix('"') {
        let mut is_escaped = false;
        let end = open.find(|c| {
            let is_end = c == '"' && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            is_end
        });
        let (text, after) = open.split_at(end.context("no quotation mark at the end")?);
        texts.push(text);
        rest = after.trim_start_matches('"').trim_start();
        // `""` ends at its own mark: what was trimmed may be one too many.
        if after.starts_with("\"\"") {
            rest = after.get(1..).unwrap_or_default();
        }
    }
    if !rest.is_empty() {
        bail!("something behind a text: {rest}");
    }
    Ok((before.trim(), texts))
}

/// The one text in quotation marks that a line is.
pub(super) fn one_text(line: &str) -> Result<Vec<u8>> {
    match quoted(line)? {
        ("", texts) if texts.len() == 1 => unescape(texts.first().copied().unwrap_or_default()),
        _ => bail!("not one text: {line}"),
    }
}

/// Splits a field line at the first colon that does not begin it; an empty value may end the line.
pub(super) fn field(line: &str) -> Result<(Vec<u8>, Vec<u8>)> {
    let from = |at: usize| line.get(at..).unwrap_or_default();
    let colon = from(1).find(": ").map(|at| at + 1);
    let (name, value) = match colon {
        Some(colon) => (line.get(..colon).unwrap_or_default(), from(colon + 2)),
        None => (
            line.strip_suffix(':')
                .with_context(|| format!("no field: {line}"))?,
            "",
        ),
    };
    Ok((unescape(name)?, unescape(value)?))
}

/// A number, decimal or hexadecimal.
pub(super) fn number(text: &str) -> Result<u64> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.with_context(|| format!("no number: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_mean_what_their_escapes_say() {
        assert_eq!(unescape(r#"a\r\n\0\x7f\\\""#).unwrap(), b"a\r\n\0\x7f\\\"");
        assert!(unescape(r"\q").is_err());
        let (before, texts) = quoted(r#"each "a\"b" "" " " "c""#).unwrap();
        assert_eq!((before, texts), ("each", vec![r#"a\"b"#, "", " ", "c"]));
        assert!(quoted("\"a").is_err() && quoted("\"a\" b").is_err());
    }

    #[test]
    fn a_field_is_split_at_its_colon() {
        let split = |line| field(line).unwrap();
        assert_eq!(
            split(":path: /a: b"),
            (b":path".to_vec(), b"/a: b".to_vec())
        );
        assert_eq!(split("x-a:"), (b"x-a".to_vec(), Vec::new()));
        assert_eq!(split("x-a:  v"), (b"x-a".to_vec(), b" v".to_vec()));
        assert_eq!(split(":: x"), (b":".to_vec(), b"x".to_vec()));
        assert!(field("x-a").is_err());
    }
}
