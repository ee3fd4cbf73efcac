//! The escapes of the corpus: `\r`, `\n`, `\t`, `\\`, `\}`, `\xHH`, and `\{N:text}` for N times the text. The way back, for
//! messages, shows bytes as they would be written.

/// A line of the corpus as bytes: with CR and LF at its end, unless it ends in a lone backslash.
pub(super) fn line(text: &str) -> Result<Vec<u8>, String> {
    let ends_open = text.ends_with('\\') && !text.ends_with("\\\\");
    if let Some(open) = text.strip_suffix('\\').filter(|_| ends_open) {
        return bytes(open);
    }
    let mut bytes = bytes(text)?;
    bytes.extend(b"\r\n");
    Ok(bytes)
}

/// Text with its escapes undone.
pub(super) fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.extend(before.as_bytes());
        let mut marks = after.chars();
        let mark = marks.next().ok_or("a backslash at the end of a text")?;
        rest = marks.as_str();
        match mark {
            'r' => out.push(b'\r'),
            'n' => out.push(b'\n'),
            't' => out.push(b'\t'),
            '\\' | '}' => out.push(mark as u8),
            'x' => {
                let (digits, more) = rest.split_at_checked(2).ok_or("\\x has two digits")?;
                out.push(u8::from_str_radix(digits, 16).map_err(|_| "\\x has two digits")?);
                rest = more;
            }
            '{' => {
                let (times, more) = rest.split_once(':').ok_or("\\{N:text}")?;
                let end = end_of_repeat(more).ok_or("\\{ without its end")?;
                let (unit, more) = more.split_at(end);
                let times = times.parse().map_err(|_| "\\{N:text}")?;
                out.extend(bytes(unit)?.repeat(times));
                rest = more.get(1..).unwrap_or_default();
            }
            _ => return Err(format!("no such escape: \\{mark}")),
        }
    }
    out.extend(rest.as_bytes());
    Ok(out)
}

/// Where the brace is that no backslash stands before.
fn end_of_repeat(text: &str) -> Option<usize> {
    let is_end = |at: &usize| {
        text.get(..*at)
            .is_some_and(|before| !before.ends_with('\\'))
    };
    text.match_indices('}').map(|(at, _)| at).find(is_end)
}

/// Bytes for a reader; long ones shortened in the middle.
pub(crate) fn shown(bytes: &[u8]) -> String {
    const SHOWN: usize = 700;
    match bytes.get(..SHOWN).filter(|_| bytes.len() > SHOWN + 200) {
        Some(first) => {
            let last = &bytes[bytes.len() - 200..];
            let left_out = bytes.len() - SHOWN - 200;
            format!(
                "{} … {left_out} bytes … {}",
                first.escape_ascii(),
                last.escape_ascii()
            )
        }
        None => bytes.escape_ascii().to_string(),
    }
}
