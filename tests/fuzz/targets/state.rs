//! The state that outlives the process, as it is read from the disk: it parses or it does not, and what parsed is written
//! and read again as the same.

#![no_main]

use bascule_plan::Persisted;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(state) = serde_json::from_slice::<Persisted>(data) else {
        return;
    };
    let written = serde_json::to_vec(&state).unwrap();
    let again: Persisted = serde_json::from_slice(&written).unwrap();
    assert_eq!(serde_json::to_vec(&again).unwrap(), written);
});
