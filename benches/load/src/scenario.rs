//! What the clients do, as data: protocol, security, how many connections, how many requests at once on each, and what is
//! asked for. Closed loops: a client asks again when it has its answer.

use std::fmt;

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::origin::{LARGE, SMALL};

/// One kind of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// HTTP/1.1 in clear, 512 bytes, 64 connections.
    Http1,
    /// The same over TLS 1.3.
    Tls,
    /// HTTP/2 over TLS 1.3, 512 bytes, 8 connections with 8 streams each; the origin speaks HTTP/1.1.
    Http2,
    /// HTTP/1.1 in clear, a mebibyte, 16 connections.
    Download,
}

impl Scenario {
    /// All, in the order of the table.
    pub const ALL: [Self; 4] = [Self::Http1, Self::Tls, Self::Http2, Self::Download];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http1 => "http1",
            Self::Tls => "tls",
            Self::Http2 => "http2",
            Self::Download => "download",
        }
    }

    /// For the table's reader.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Http1 => "HTTP/1.1, 512 B, 64 connections",
            Self::Tls => "HTTP/1.1 over TLS 1.3, 512 B, 64 connections",
            Self::Http2 => "HTTP/2 over TLS 1.3 to HTTP/1.1, 512 B, 8 connections of 8 streams",
            Self::Download => "HTTP/1.1, 1 MiB, 16 connections",
        }
    }

    /// Whether the clients speak TLS.
    #[must_use]
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Http2)
    }

    /// Connections, open from the start to the end of a round.
    #[must_use]
    pub const fn connections(self) -> usize {
        match self {
            Self::Http1 | Self::Tls => 64,
            Self::Http2 => 8,
            Self::Download => 16,
        }
    }

    /// What is asked for: a path, and the length of the body that must come.
    #[must_use]
    pub const fn asked(self) -> (&'static str, usize) {
        match self {
            Self::Http1 | Self::Tls | Self::Http2 => SMALL,
            Self::Download => LARGE,
        }
    }
}

/// Requests that a client keeps running on one HTTP/2 connection.
pub const STREAMS: usize = 8;

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ValueEnum for Scenario {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()).help(self.title()))
    }
}
