//! Where a fuzz target begins: files of its own in `tests/fuzz/seeds`, and what the corpora hold. Raw HTTP/1 is taken out
//! of the case files line by line; a case that is written in a way that this does not understand makes a poor seed, and
//! no harm.

use std::path::{Path, PathBuf};

use anyhow::Result;

/// The folders with inputs of a target.
pub(super) fn folders(root: &Path, target: &str, work: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = vec![root.join("tests/fuzz/seeds").join(target)];
    match target {
        "config_text" => {
            folders.push(root.join("tests/corpus/config"));
            folders.push(root.join("config"));
        }
        "http1_requests" => folders.push(raw_http1(root, work, "> ")?),
        "http1_responses" => folders.push(raw_http1(root, work, "< ")?),
        _ => {}
    }
    folders.retain(|folder| folder.is_dir());
    Ok(folders)
}

/// What one side says in each case of the HTTP/1 corpus, as files behind the byte that says how it is cut.
fn raw_http1(root: &Path, work: &Path, side: &str) -> Result<PathBuf> {
    let folder = work.join("seeds");
    std::fs::create_dir_all(&folder)?;
    let mut number = 0;
    for entry in std::fs::read_dir(root.join("tests/corpus/http1"))? {
        let path = entry?.path();
        if path.extension().is_none_or(|end| end != "txt") {
            continue;
        }
        let text = std::fs::read_to_string(&path)?;
        for case in text.split("\ncase:") {
            let said: Vec<u8> = case.lines().flat_map(|line| raw_line(line, side)).collect();
            if !said.is_empty() {
                number += 1;
                let seed = [b"\x1f", said.as_slice()].concat();
                std::fs::write(folder.join(format!("case-{number}")), seed)?;
            }
        }
    }
    Ok(folder)
}

/// The bytes of a line of the case, if it is this side's.
fn raw_line(line: &str, side: &str) -> Vec<u8> {
    let said = match line.strip_prefix(side) {
        Some(said) => said,
        None if line == side.trim_end() => "",
        None => return Vec::new(),
    };
    let (said, end) = match said.strip_suffix('\\') {
        Some(open) => (open, ""),
        None => (said, "\r\n"),
    };
    let plain = said
        .replace("\\r", "\r")
        .replace("\\n", "\n")
        .replace("\\t", "\t")
        .replace("\\x00", "\0");
    [plain.as_bytes(), end.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_one_side_are_its_bytes() {
        assert_eq!(raw_line("> GET / HTTP/1.1", "> "), b"GET / HTTP/1.1\r\n");
        assert_eq!(raw_line(">", "> "), b"\r\n");
        assert_eq!(raw_line("> a\\nb\\", "> "), b"a\nb");
        assert_eq!(raw_line("< HTTP/1.1 200 OK", "> "), b"");
    }
}
