//! The corpus of bad configurations: beside each `.yaml` an `.expect` with one line for each diagnostic, in order, and
//! nothing else: `CODE LINE:COLUMN-END_LINE:END_COLUMN POINTER`, then `fix` and the text where there is one. A file whose
//! errors all have a fix must load once the fixes are applied.
//!
//! `cargo test -p bascule-config --test corpus -- --ignored` writes the expectations anew; read the difference.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use bascule_config::{Diagnostics, MemorySource, Severity, code, fix, load};

/// What the corpus may read.
fn world() -> MemorySource {
    let block = |label: &str| {
        format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n").into_bytes()
    };
    let mut world = MemorySource::default();
    for (path, content) in [
        ("/tls.crt", block("CERTIFICATE")),
        ("/tls.key", block("EC PRIVATE KEY")),
        ("/encrypted.key", block("ENCRYPTED PRIVATE KEY")),
        ("/empty.pem", Vec::new()),
        ("/tokens", Vec::new()),
        ("/affinity.key", vec![b'x'; 48]),
        ("/open.key", vec![b'x'; 48]),
        ("/short.key", vec![b'x'; 31]),
    ] {
        world.files.insert(path.to_owned(), content);
    }
    world.modes.insert("/affinity.key".to_owned(), 0o640);
    world.modes.insert("/open.key".to_owned(), 0o644);
    world.env.insert("HOST".to_owned(), "10.0.0.1".to_owned());
    world
}

fn corpus() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus/config");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "yaml"));
    files.sort();
    files
}

/// All that is said of a text: as an error, or as warnings beside a configuration.
fn said(text: &str) -> Diagnostics {
    match load("bad.yaml", text, &world()) {
        Ok(loaded) => loaded.warnings,
        Err(diagnostics) => diagnostics,
    }
}

fn summary(diagnostics: &Diagnostics) -> String {
    let mut out = String::new();
    for d in &diagnostics.items {
        let s = d.span;
        let pointer = if d.pointer.is_empty() {
            "/"
        } else {
            &d.pointer
        };
        write!(
            out,
            "{} {}:{}-{}:{} {pointer}",
            d.code, s.line, s.column, s.end_line, s.end_column
        )
        .unwrap();
        if let Some(fix) = &d.fix {
            write!(out, " fix {}", fix.edit.text).unwrap();
        }
        out.push('\n');
    }
    out
}

#[test]
fn every_bad_file_is_refused_exactly_as_expected() {
    let files = corpus();
    assert!(files.len() >= 480, "{}", files.len());
    for path in files {
        let expected = std::fs::read_to_string(path.with_extension("expect")).unwrap();
        let said = said(&std::fs::read_to_string(&path).unwrap());
        assert_eq!(summary(&said), expected, "{}\n{said}", path.display());
        assert!(
            !said.items.is_empty(),
            "{} has nothing wrong",
            path.display()
        );
    }
}

#[test]
fn the_code_in_the_name_of_a_file_is_among_its_diagnostics() {
    for path in corpus() {
        let name = path.file_stem().unwrap().to_string_lossy().to_uppercase();
        let said = said(&std::fs::read_to_string(&path).unwrap());
        let named = name.split('-').next().unwrap();
        assert!(
            named == "MANY" || said.items.iter().any(|d| d.code == named),
            "{name}\n{said}"
        );
    }
}

#[test]
fn every_code_said_is_explained_and_every_span_is_in_the_file() {
    for path in corpus() {
        let text = std::fs::read_to_string(&path).unwrap();
        for d in said(&text).items {
            assert!(code(d.code).is_some(), "{} has no explanation", d.code);
            assert!(
                text.get(d.span.start..d.span.end).is_some(),
                "{}: {d:?}",
                path.display()
            );
            assert!(
                d.span.line >= 1 && d.span.column >= 1,
                "{}: {d:?}",
                path.display()
            );
        }
    }
}

#[test]
fn nearly_every_code_has_a_bad_file() {
    let said: Vec<&str> = corpus()
        .iter()
        .flat_map(|p| self::said(&std::fs::read_to_string(p).unwrap()).items)
        .map(|d| d.code)
        .collect();
    // Not made by files of this corpus: not UTF-8, too large, layout, a defect, and what is found on a machine.
    let elsewhere = ["E0111", "E0114", "E0120", "E0199"];
    let missing: Vec<&str> = bascule_config::CODES
        .iter()
        .map(|c| c.code)
        .filter(|c| {
            !said.contains(c)
                && !elsewhere.contains(c)
                && !["E04", "E07", "W07"].iter().any(|m| c.starts_with(m))
        })
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_file_whose_errors_all_have_a_fix_loads_once_they_are_applied() {
    let mut fixed = 0;
    for path in corpus() {
        let text = std::fs::read_to_string(&path).unwrap();
        let said = said(&text);
        let errors = || said.items.iter().filter(|d| d.severity == Severity::Error);
        if errors().count() > 0 && errors().all(|d| d.fix.is_some()) {
            let mended = fix(&text, &said);
            if let Err(left) = load("mended.yaml", &mended, &world()) {
                panic!("{}\n{mended}\n{left}", path.display());
            }
            fixed += 1;
        }
    }
    assert!(fixed >= 15, "{fixed}");
}

#[test]
#[ignore = "writes the expectations"]
fn bless() {
    for path in corpus() {
        let said = said(&std::fs::read_to_string(&path).unwrap());
        std::fs::write(path.with_extension("expect"), summary(&said)).unwrap();
        if path.ends_with("many-meet.yaml") {
            let named = Diagnostics {
                file: "meet.yaml".into(),
                ..said
            };
            std::fs::write(path.with_extension("txt"), named.to_string()).unwrap();
        }
    }
}

#[test]
fn diagnostics_look_as_the_manual_shows_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus/config");
    let text = std::fs::read_to_string(folder.join("many-meet.yaml")).unwrap();
    let refused = load("meet.yaml", &text, &world()).unwrap_err();
    let wanted = std::fs::read_to_string(folder.join("many-meet.txt")).unwrap();
    assert_eq!(refused.to_string(), wanted, "\n{refused}");
    assert_eq!(refused.summary(), "2 errors, 1 warning");
    let first = &refused.to_json()[0];
    for (key, value) in [
        ("code", serde_json::json!("E0104")),
        ("severity", serde_json::json!("error")),
        ("file", serde_json::json!("meet.yaml")),
        ("line", serde_json::json!(13)),
        ("column", serde_json::json!(9)),
        ("end_column", serde_json::json!(15)),
        (
            "pointer",
            serde_json::json!("/services/meet/backends/aws/wieght"),
        ),
        ("message", serde_json::json!("unknown key `wieght`")),
    ] {
        assert_eq!(first[key], value, "{key}");
    }
    assert_eq!(first["fix"]["text"], "weight");
}
