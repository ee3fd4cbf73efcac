//! A configuration from the command line, and the environment that a file refers to: words of any text, one a line.

#![no_main]

use bascule_config::{MemorySource, from_args, load};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut words = text.split('\n').map(str::to_owned);
    let listen = words.next().unwrap_or_default();
    let backends: Vec<String> = words.collect();
    let mut source = MemorySource::default();
    if let Ok((text, _)) = from_args(&listen, &backends, &source) {
        assert!(load("fuzz.yaml", &text, &source).is_ok(), "{text}");
    }
    source.env.insert("WORD".to_owned(), listen);
    let refers = "listen: { web: { address: \"${WORD}\" } }
services: { meet: { backends: { aws: { weight: 1, endpoints: [\"http://${WORD:-a}:80\"] } } } }";
    drop(load("fuzz.yaml", refers, &source));
});
