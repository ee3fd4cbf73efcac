//! Laws of the crate from outside: it never panics on any bytes, every diagnostic is in the file and explained, and
//! fixing only ever applies what was offered.

use bascule_config::{Diagnostics, MemorySource, code, fix, fmt, load, load_bytes};
use proptest::prelude::*;

fn sane(diagnostics: &Diagnostics) -> Result<(), TestCaseError> {
    for d in &diagnostics.items {
        prop_assert!(code(d.code).is_some(), "{}", d.code);
        prop_assert!(
            diagnostics.text.get(d.span.start..d.span.end).is_some(),
            "{d:?}"
        );
        prop_assert!(d.span.line >= 1 && d.span.column >= 1, "{d:?}");
    }
    prop_assert!(diagnostics.to_string().lines().count() >= diagnostics.items.len());
    prop_assert_eq!(diagnostics.to_json().len(), diagnostics.items.len());
    Ok(())
}

fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    match load_bytes("any.yaml", bytes, &MemorySource::default()) {
        Ok(loaded) => sane(&loaded.warnings)?,
        Err(diagnostics) => {
            prop_assert!(!diagnostics.items.is_empty());
            sane(&diagnostics)?;
            let mended = fix(&diagnostics.text, &diagnostics);
            if let Err(again) = load("any.yaml", &mended, &MemorySource::default()) {
                sane(&again)?;
            }
        }
    }
    let laid_out = std::str::from_utf8(bytes).map(|text| fmt("any.yaml", text));
    if let Ok(Err(diagnostics)) = laid_out {
        sane(&diagnostics)?;
    }
    Ok(())
}

/// Pieces that configurations are made of, so that random texts get far.
const PIECES: &str = "(listen|services|web|meet|backends|aws|weight|role|standby|address|endpoints|match|hosts|path|check|\
    interval|defaults|controller|bounds|safety|x-a|: |:\n|:\n  |\n    |\n      |\n  |\n|\\[|\\]|\\{|\\}|, |- |\"|'|&a |\\*a|!b |\\||> |# |\
    3s|10%|70|:8080|http://a:1|\\$\\{A\\}|\\$\\{A:-b\\}|\t|é|日本|true|null|~|\\?|---|<<)*";

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&bytes)?;
    }

    #[test]
    fn no_text_of_known_pieces_makes_it_panic(text in PIECES) {
        check(text.as_bytes())?;
    }

    #[test]
    fn no_broken_example_makes_it_panic(at in 0_usize..6000, cut in 0_usize..40, put in "\\PC{0,6}") {
        let full = include_str!("../../../config/full.yaml");
        let chars: Vec<char> = full.chars().collect();
        let at = at % chars.len();
        let text: String = chars[..at].iter().copied().chain(put.chars()).chain(chars[(at + cut).min(chars.len())..].iter().copied()).collect();
        check(text.as_bytes())?;
    }
}

#[test]
fn bytes_that_are_not_utf8_are_placed() {
    let refused = load_bytes(
        "x",
        b"listen:\n  w\xff\xfeb: {}\n",
        &MemorySource::default(),
    )
    .unwrap_err();
    let d = &refused.items[0];
    assert_eq!((d.code, d.span.line, d.span.column), ("E0111", 2, 4));
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut text = "x-a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n".to_owned();
    for n in 1..9 {
        let aliases = vec![format!("*a{}", n - 1); 10].join(", ");
        text.push_str(&format!("x-a{n}: &a{n} [{aliases}]\n"));
    }
    let refused = load("x", &text, &MemorySource::default()).unwrap_err();
    assert!(refused.items.iter().any(|d| d.code == "E0108"), "{refused}");
    let deep = "[".repeat(5000);
    assert!(load("x", &format!("a: {deep}"), &MemorySource::default()).is_err());
    let many = format!("x-a: [{}]", "1,".repeat(250_000));
    let refused = load("x", &many, &MemorySource::default()).unwrap_err();
    assert!(refused.items.iter().any(|d| d.code == "E0114"));
}

#[test]
fn deep_chains_of_aliases_are_refused() {
    let mut text = "x-a0: &a0 [1]\n".to_owned();
    for n in 1..2000 {
        text.push_str(&format!("x-a{n}: &a{n} [*a{}]\n", n - 1));
    }
    let refused = load("x", &text, &MemorySource::default()).unwrap_err();
    assert!(refused.items.iter().any(|d| d.code == "E0108"));
}

#[test]
fn a_map_with_very_many_keys_is_read_in_good_time() {
    let keys: String = (0..90_000).map(|n| format!("k{n}: 1\n")).collect();
    let refused = load("x", &keys, &MemorySource::default()).unwrap_err();
    assert!(refused.items.len() > 80_000);
}

#[test]
fn line_ends_and_byte_order_marks_of_other_systems_are_read() {
    let minimal = include_str!("../../../config/minimal.yaml");
    let plain = load("x", minimal, &MemorySource::default()).unwrap();
    for text in [minimal.replace('\n', "\r\n"), format!("\u{feff}{minimal}")] {
        let loaded = load("x", &text, &MemorySource::default()).unwrap();
        assert_eq!(loaded.config, plain.config);
    }
}
