//! The words of HTTP that the guard and the proxy judge: fields, hosts and paths. What it calls right holds nothing that
//! could end it, and a path without dot segments stays as it is.

#![no_main]

use bascule_guard::{grammar, path};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let ends = |byte: &u8| matches!(byte, b'\r' | b'\n' | 0);
    let is_name = grammar::is_field_name(data);
    assert!(
        !is_name
            || !data
                .iter()
                .any(|b| ends(b) || matches!(b, b' ' | b':' | b'\t'))
    );
    assert!(!grammar::is_field_value(data) || !data.iter().any(ends));
    let holds_ends = |byte: &u8| ends(byte) || b" \t/?#@\"\\<>,;".contains(byte);
    assert!(!grammar::is_host(data) || !data.iter().any(holds_ends));
    let Some(text) = std::str::from_utf8(data)
        .ok()
        .filter(|_| grammar::is_path(data))
    else {
        return;
    };
    assert!(!data.iter().any(|b| ends(b) || matches!(b, b' ' | b'#')));
    let only_path = text.split('?').next().unwrap_or_default();
    if let Some(plain) = path::without_dots(only_path) {
        assert!(grammar::is_path(plain.as_bytes()), "{plain}");
        assert_eq!(path::without_dots(&plain).as_deref(), Some(&*plain));
        let lower = plain.to_ascii_lowercase().replace("%2e", ".");
        assert!(
            !lower
                .split('/')
                .any(|segment| segment == ".." || segment == ".")
        );
    }
});
