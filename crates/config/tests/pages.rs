//! Every code has a page, and every page keeps its word: an example that is a file has its code, and codes that are named
//! exist. Codes are also looked for in the sources, so that none is said that has no page.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::path::Path;

use bascule_config::{CODES, Example, MemorySource, code, load, page, page_text, pages};

/// The files that examples name.
fn world() -> MemorySource {
    let block = |label: &str| {
        format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n").into_bytes()
    };
    let mut world = MemorySource::default();
    for (path, content) in [
        ("/tls.crt", block("CERTIFICATE")),
        ("/tls.key", block("EC PRIVATE KEY")),
        ("/tokens", Vec::new()),
    ] {
        world.files.insert(path.to_owned(), content);
    }
    world
}

#[test]
fn every_code_has_one_page_and_every_page_a_code() {
    for code in CODES {
        let own = pages::pages().filter(|page| page.code == code.code).count();
        assert_eq!(own, 1, "{} has {own} pages", code.code);
    }
    for page in pages::pages() {
        assert!(code(page.code).is_some(), "{} is no code", page.code);
    }
}

#[test]
fn an_example_that_is_a_file_triggers_its_code() {
    let mut files = 0;
    for page in pages::pages() {
        let Example::File(example) = page.example else {
            continue;
        };
        let said = match load("example.yaml", example, &world()) {
            Ok(loaded) => loaded.warnings,
            Err(found) => found,
        };
        let is_said = said.items.iter().any(|d| d.code == page.code);
        assert!(is_said, "{}\n{example}\n{said}", page.code);
        files += 1;
    }
    assert!(files > 50, "{files}");
}

#[test]
fn related_codes_exist_and_are_not_the_page_itself() {
    for page in pages::pages() {
        for related in page.related {
            assert!(
                code(related).is_some() && *related != page.code,
                "{}: {related}",
                page.code
            );
        }
        assert!(!page.mend.is_empty());
    }
}

#[test]
fn a_page_says_meaning_example_and_way_out() {
    let text = page_text(code("E0104").unwrap());
    for part in [
        "E0104: unknown key",
        "For example:\n\n    listen:",
        "To mend it: ",
        "See also: E0110",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(page("E0104").is_some() && page("E9999").is_none());
}

/// Sources that may say a code, all crates.
fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn no_code_is_said_anywhere_that_has_no_page() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut texts = Vec::new();
    sources(&crates, &mut texts);
    let is_code = |word: &str| {
        let digits = word.get(1..).unwrap_or_default();
        word.starts_with(['E', 'W'])
            && digits.len() == 4
            && digits.chars().all(|c| c.is_ascii_digit())
    };
    let mut seen = 0;
    for text in &texts {
        for word in text.split('"').filter(|word| is_code(word)) {
            // E06 are the admin API's, which has a table of its own; E9999 stands for none in tests.
            let is_known = code(word).is_some() || word.starts_with("E06") || word == "E9999";
            assert!(is_known, "{word} is said and has no page");
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen}");
}
