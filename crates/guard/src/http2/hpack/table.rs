//! The tables of fields that a header block refers to: the static one (RFC 7541, Appendix A) and the one that the peer
//! fills (§2.3.2). The second holds no more than its size allows, each field with 32 bytes more than it has.

use std::collections::VecDeque;

/// What a field costs beyond its bytes (RFC 7541 §4.1).
const FIELD_BYTES: usize = 32;

const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    /// Name and value, one behind the other.
    text: Box<[u8]>,
    name_length: usize,
}

impl Field {
    fn cost(&self) -> usize {
        self.text.len() + FIELD_BYTES
    }
}

/// Both tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    /// The newest first.
    fields: VecDeque<Field>,
    used: usize,
    size: usize,
    size_max: usize,
}

impl Table {
    /// With an empty second one of this size.
    pub(super) const fn new(size_max: usize) -> Self {
        Self {
            fields: VecDeque::new(),
            used: 0,
            size: size_max,
            size_max,
        }
    }

    /// The field at an index, from 1 on.
    pub(super) fn get(&self, index: usize) -> Option<(&[u8], &[u8])> {
        let at = index.checked_sub(1)?;
        if let Some((name, value)) = STATIC.get(at) {
            return Some((name.as_bytes(), value.as_bytes()));
        }
        let field = self.fields.get(at - STATIC.len())?;
        field.text.split_at_checked(field.name_length)
    }

    /// Changes the size; `false`: it is larger than we offer.
    pub(super) fn resize(&mut self, size: usize) -> bool {
        if size > self.size_max {
            return false;
        }
        self.size = size;
        self.shrink_to(size);
        true
    }

    /// Adds a field. One that is larger than the table empties it.
    pub(super) fn insert(&mut self, name: &[u8], value: &[u8]) {
        let field = Field {
            text: [name, value].concat().into(),
            name_length: name.len(),
        };
        let cost = field.cost();
        self.shrink_to(self.size.saturating_sub(cost));
        if cost <= self.size {
            self.used += cost;
            self.fields.push_front(field);
        }
    }

    fn shrink_to(&mut self, size: usize) {
        while self.used > size {
            let Some(oldest) = self.fields.pop_back() else {
                return;
            };
            self.used = self.used.saturating_sub(oldest.cost());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_field_comes_first_and_the_oldest_goes_first() {
        let mut table = Table::new(100);
        table.insert(b"a", b"1");
        table.insert(b"b", b"2");
        assert_eq!(table.get(62), Some((&b"b"[..], &b"2"[..])));
        assert_eq!(table.get(63), Some((&b"a"[..], &b"1"[..])));
        table.insert(b"c", b"3");
        assert_eq!(table.get(63), Some((&b"b"[..], &b"2"[..])));
        assert_eq!(table.get(64), None);
        table.insert(b"long", &[b'x'; 100]);
        assert_eq!(table.get(62), None);
        assert!(table.resize(0) && !table.resize(101));
        table.insert(b"a", b"1");
        assert_eq!((table.get(62), table.get(0)), (None, None));
        assert_eq!(table.get(2), Some((&b":method"[..], &b"GET"[..])));
    }
}
