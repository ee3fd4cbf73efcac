//! What formatting must not change: what the tree says, and every character that is not space. A text in which that cannot
//! be seen is left alone.

use std::collections::BTreeMap;

use crate::node::{Entry, Kind, Node};

/// Whether two trees say the same; the order of keys says nothing.
pub(super) fn same(a: &Node, b: &Node) -> bool {
    match (&a.kind, &b.kind) {
        (Kind::Map(a), Kind::Map(b)) => {
            let find = |key: &str| b.iter().find(|entry| entry.key == key);
            let equal = |entry: &Entry| {
                find(&entry.key).is_some_and(|other| same(&entry.value, &other.value))
            };
            a.len() == b.len() && a.iter().all(equal)
        }
        (Kind::List(a), Kind::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        // Not-a-number equals nothing; its text does.
        (Kind::Scalar(a), Kind::Scalar(b)) => {
            a.text == b.text
                && (a.core == b.core
                    || a.text.contains("nan")
                    || a.text.contains("NaN")
                    || a.text.contains("NAN"))
        }
        _ => false,
    }
}

/// How often each character that is not space occurs.
pub(super) fn ink(text: &str) -> BTreeMap<char, usize> {
    let mut ink = BTreeMap::new();
    for c in text
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '\u{feff}')
    {
        *ink.entry(c).or_default() += 1;
    }
    ink
}

/// Whether a carriage return stands alone. It ends a line to YAML and to no editor, so lines cannot be moved.
pub(super) fn has_lone_return(text: &str) -> bool {
    text.replace("\r\n", "").contains('\r')
}
