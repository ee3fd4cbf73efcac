//! What an edge sees of an endpoint at the moment of a pick. The picker asks for it, one endpoint at a time, and only for
//! those it considers; it never looks at a counter, a breaker or a suspicion itself.

/// What is seen of one endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Requests that are there now, from all workers; one that waits for its connection is among them.
    pub in_flight: u32,
    /// How long it takes to answer, in nanoseconds: a decayed peak average. `None` where
    /// the service does not choose by it, or the endpoint has not answered yet.
    pub latency: Option<u64>,
    /// Whether it may get a request.
    pub gate: Gate,
}

/// Whether an endpoint may get a request; in order, what is worse is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Gate {
    /// Yes.
    Open,
    /// It is suspected, and one request is due that finds out: this one may be it. A request that comes from elsewhere,
    /// by a spill or after a try that failed, is not.
    Trial,
    /// It is suspected: passed over while any other will do, still better than an answer of ours.
    Suspect,
    /// A limit is reached: it gets nothing, whatever else fails.
    Full,
}

impl Gate {
    /// The word used in logs and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Trial => "trial",
            Self::Suspect => "suspect",
            Self::Full => "full",
        }
    }
}

impl Look {
    /// An endpoint that is open, with so many requests.
    #[must_use]
    pub const fn open(in_flight: u32) -> Self {
        Self {
            in_flight,
            latency: None,
            gate: Gate::Open,
        }
    }

    /// The same behind another gate.
    #[must_use]
    pub const fn with_gate(self, gate: Gate) -> Self {
        Self { gate, ..self }
    }
}
