//! What a configuration says of tries: how many, after which failures and answers, how long each may take, and how much
//! all of them together.

use std::time::Duration;

use bascule_model::BasisPoints;

/// When a request is tried again: on another endpoint, other provider first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries in all, the first included; 1 to 5. Default 2.
    pub attempts: u8,
    /// How long a try may wait for the head of a response before another is made in its place. Default: no limit of its
    /// own, as what is slow for one service is usual for another, and a silence is noticed without it.
    pub try_timeout: Option<Duration>,
    /// Retries per request that the budget grants. Default 20 %.
    pub budget_ratio: BasisPoints,
    /// Retries a second that the budget always grants. Default 10.
    pub budget_min_per_second: u32,
    /// What is tried again. Default: every failure, and 503.
    pub when: RetryWhen,
    /// The bytes of a request's body that are kept for another try; a longer one is not kept at all. Default 64 KiB.
    pub replay_body: u64,
    /// Whether the next try prefers another provider. Default true.
    pub other_provider: bool,
}

/// What is tried again. Whether something may be is decided by what was sent; this can only forbid, but for gRPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryWhen {
    /// The connection could not be made.
    pub connect_failure: bool,
    /// The connection died before the first byte of a response.
    pub reset_before_response: bool,
    /// The endpoint refused the stream unprocessed (`REFUSED_STREAM`, or a stream above the id of a `GOAWAY`).
    pub refused_stream: bool,
    /// The endpoint says nothing, to this request or any other, for longer than is usual for it.
    pub silence: bool,
    /// It answered with one of these.
    pub statuses: Statuses,
    /// It answered a gRPC call with one of these, and nothing else. A call is a POST; naming a status says that calls may
    /// be made again which ended by it.
    pub grpc: GrpcStatuses,
}

/// Statuses of HTTP out of [`ALL`](Self::ALL).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statuses(u8);

impl Statuses {
    /// Those that can be among them, in order.
    pub const ALL: [u16; 5] = [429, 500, 502, 503, 504];

    /// These; what is not among [`ALL`](Self::ALL) is left out.
    #[must_use]
    pub fn of(statuses: &[u16]) -> Self {
        let bits = statuses.iter().filter_map(|status| Self::bit(*status));
        Self(bits.fold(0, |all, bit| all | bit))
    }

    /// Whether this is among them.
    #[must_use]
    pub const fn contains(self, status: u16) -> bool {
        match Self::bit(status) {
            Some(bit) => self.0 & bit != 0,
            None => false,
        }
    }

    const fn bit(status: u16) -> Option<u8> {
        Some(match status {
            429 => 1,
            500 => 2,
            502 => 4,
            503 => 8,
            504 => 16,
            _ => return None,
        })
    }
}

/// Statuses of gRPC, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GrpcStatuses(u32);

impl GrpcStatuses {
    /// Those that can be among them, as the configuration names them. Source: the codes that gRPC's own clients can be told
    /// to retry on; the others say that the call itself is wrong.
    pub const ALL: [(&'static str, u8); 6] = [
        ("grpc_cancelled", 1),
        ("grpc_unknown", 2),
        ("grpc_deadline_exceeded", 4),
        ("grpc_resource_exhausted", 8),
        ("grpc_internal", 13),
        ("grpc_unavailable", 14),
    ];

    /// These; what is not among [`ALL`](Self::ALL) is left out.
    #[must_use]
    pub fn of(codes: &[u8]) -> Self {
        let known = |code: &&u8| Self::ALL.iter().any(|(_, known)| known == *code);
        let codes = codes.iter().filter(known);
        Self(codes.fold(0, |all, code| all | 1 << code))
    }

    /// Whether this is among them.
    #[must_use]
    pub const fn contains(self, code: u8) -> bool {
        code < 32 && self.0 & 1 << code != 0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl Default for RetryWhen {
    fn default() -> Self {
        Self {
            connect_failure: true,
            reset_before_response: true,
            refused_stream: true,
            silence: true,
            statuses: Statuses::of(&[503]),
            grpc: GrpcStatuses::default(),
        }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 2,
            try_timeout: None,
            budget_ratio: BasisPoints::saturating(2_000),
            budget_min_per_second: 10,
            when: RetryWhen::default(),
            replay_body: 64 << 10,
            other_provider: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_statuses_holds_what_it_was_made_of() {
        for status in 0..1000 {
            let alone = Statuses::of(&[status]);
            let known = Statuses::ALL.contains(&status);
            assert_eq!(alone.contains(status), known, "{status}");
            let others = Statuses::ALL.iter().filter(|other| **other != status);
            assert!(!others.copied().any(|other| alone.contains(other)));
        }
        assert!(
            Statuses::ALL
                .iter()
                .all(|s| Statuses::of(&Statuses::ALL).contains(*s))
        );
    }

    #[test]
    fn a_set_of_grpc_statuses_holds_what_it_was_made_of() {
        for code in 0..=255 {
            let known = GrpcStatuses::ALL.iter().any(|(_, known)| *known == code);
            assert_eq!(GrpcStatuses::of(&[code]).contains(code), known, "{code}");
            assert_eq!(GrpcStatuses::of(&[code]).is_empty(), !known, "{code}");
        }
    }
}
