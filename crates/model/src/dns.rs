//! Records of DNS as what asks for them and what sets them both need them: the types that divide traffic, and one way to write
//! a value, so that an answer can be compared with what is set. SRV has a file of its own, [`srv`](crate::srv).

use std::net::IpAddr;

/// The type of a record that says where to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub enum RecordType {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    #[serde(rename = "AAAA")]
    Aaaa,
    /// One other name.
    #[serde(rename = "CNAME")]
    Cname,
}

impl RecordType {
    /// As DNS writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
        }
    }

    /// Reads what [`as_str`](Self::as_str) writes, in any case; `None`: another type.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let all = [Self::A, Self::Aaaa, Self::Cname];
        all.into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(text))
    }
}

/// A value in the one way that it is compared in: an address in its shortest form (RFC 5952), a name in lower case and without
/// the dot at its end (RFC 4343).
#[must_use]
pub fn canonical(value: &str) -> String {
    match value.parse::<IpAddr>() {
        Ok(address) => address.to_string(),
        Err(_) => value.trim_end_matches('.').to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_say_the_same_are_written_the_same() {
        for (value, wanted) in [
            ("192.0.2.1", "192.0.2.1"),
            ("2001:0DB8:0:0::1", "2001:db8::1"),
            ("LB.Example.net.", "lb.example.net"),
            ("lb.example.net", "lb.example.net"),
        ] {
            assert_eq!(canonical(value), wanted);
        }
    }

    #[test]
    fn a_type_is_read_as_it_is_written() {
        for kind in [RecordType::A, RecordType::Aaaa, RecordType::Cname] {
            assert_eq!(RecordType::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(RecordType::parse("aaaa"), Some(RecordType::Aaaa));
        assert_eq!(RecordType::parse("MX"), None);
    }
}
