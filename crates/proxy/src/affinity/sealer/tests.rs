//! What opens, and what does not.

use bascule_config::{MemorySource, load};
use proptest::prelude::*;

use super::*;

/// The secrets of a file with these lines.
fn secrets(lines: &[&str]) -> Secrets {
    let mut source = MemorySource::default();
    let content = lines.join("\n").into_bytes();
    source.files.insert("s".to_owned(), content);
    let text = "listen: { web: { address: \":1\" } }\nservices: { meet: { affinity: { by: { cookie: c }, secret_file: s }, \
                backends: { a: { weight: 1, endpoints: [\"http://10.0.0.1:1\"] } } } }\n";
    let config = load("test", text, &source).unwrap().config;
    config.secrets["s"].clone()
}

const OLD: &str = "an old secret of enough characters, and more";
const NEW: &str = "a new secret of enough characters, and more!";

fn ticket() -> Ticket<'static> {
    Ticket {
        at: 1_700_000_000,
        endpoint: 0x0123_4567_89ab_cdef,
        backend: "aws-use1",
    }
}

#[test]
fn what_was_sealed_says_the_same_when_it_is_opened() {
    let sealer = Sealer::new(&secrets(&[OLD])).unwrap();
    let value = sealer.seal("meet/c", ticket()).unwrap();
    let opened = sealer.open("meet/c", value.as_bytes()).unwrap();
    assert_eq!(opened.ticket(), Some(ticket()));
    assert!(!value.contains("aws"));
    assert_ne!(value, sealer.seal("meet/c", ticket()).unwrap());
}

#[test]
fn the_first_secret_seals_and_all_open() {
    let (before, between) = (secrets(&[OLD]), secrets(&[NEW, OLD]));
    let before = Sealer::new(&before).unwrap();
    let between = Sealer::new(&between).unwrap();
    let after = Sealer::new(&secrets(&[NEW])).unwrap();
    let old = before.seal("meet/c", ticket()).unwrap();
    let new = between.seal("meet/c", ticket()).unwrap();
    let opens = |sealer: &Sealer, value: &str| sealer.open("meet/c", value.as_bytes()).is_ok();
    assert!(opens(&between, &old) && opens(&between, &new) && opens(&after, &new));
    assert!(!opens(&after, &old) && !opens(&before, &new));
}

#[test]
fn a_cookie_of_another_service_or_name_is_foreign() {
    let sealer = Sealer::new(&secrets(&[OLD])).unwrap();
    let value = sealer.seal("meet/c", ticket()).unwrap();
    for context in ["chat/c", "meet/d", ""] {
        let opened = sealer.open(context, value.as_bytes());
        assert_eq!(opened.err(), Some(Ignored::Forged), "{context}");
    }
}

#[test]
fn a_changed_byte_anywhere_makes_it_a_forgery() {
    let sealer = Sealer::new(&secrets(&[OLD])).unwrap();
    let value = sealer.seal("meet/c", ticket()).unwrap();
    for at in 0..value.len() {
        let mut changed = value.clone().into_bytes();
        changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
        let opened = sealer.open("meet/c", &changed);
        assert_eq!(opened.err(), Some(Ignored::Forged), "{at}");
    }
    for length in (0..value.len()).step_by(2) {
        assert!(sealer.open("meet/c", &value.as_bytes()[..length]).is_err());
    }
}

proptest! {
    #[test]
    fn nothing_that_a_client_makes_up_opens(value in prop::collection::vec(any::<u8>(), 0..400)) {
        let sealer = Sealer::new(&secrets(&[OLD, NEW])).unwrap();
        prop_assert!(sealer.open("meet/c", &value).is_err());
        let digits: String = value.iter().map(|byte| char::from(b"0123456789abcdef"[usize::from(byte % 16)])).collect();
        prop_assert!(sealer.open("meet/c", digits.as_bytes()).is_err());
    }
}
