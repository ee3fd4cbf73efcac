//! A configuration file of any bytes: it loads, or says what is wrong and where; formatted twice it is as formatted once;
//! what it means, written out, loads as the same.

#![no_main]

use bascule_config::{MemorySource, Severity, fix, fmt, load_bytes, render};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let source = MemorySource::default();
    match load_bytes("fuzz.yaml", data, &source) {
        Ok(loaded) => {
            let text = render(&loaded.config);
            let again = load_bytes("fuzz.yaml", text.as_bytes(), &source);
            let again = again.unwrap_or_else(|why| panic!("{}\n{text}", why.summary()));
            assert_eq!(render(&again.config), text);
        }
        Err(problems) => {
            assert!(problems.count(Severity::Error) > 0);
            for item in &problems.items {
                assert!(bascule_config::code(item.code).is_some(), "{}", item.code);
            }
            if let Ok(text) = std::str::from_utf8(data) {
                drop(fix(text, &problems));
            }
        }
    }
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(once) = fmt("fuzz.yaml", text)
    {
        assert_eq!(fmt("fuzz.yaml", &once).ok().as_ref(), Some(&once));
    }
});
