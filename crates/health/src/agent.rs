//! What an agent beside an endpoint says of it: the line as it came, and what is kept of it. The line is HAProxy's: words
//! between blanks or commas, in any order, and a text after `#`. It must never undo what a person or a check says, nor
//! forget what it said itself because it cannot be reached: only the agent undoes its own state.
//!
//! Known words: `ready`, `drain`, `maint` (what it wants), `up`, `down`, `fail`, `stopped` (what it sees), `75%` (how much of
//! its part the endpoint can take). All others are passed over; a line without a known word says nothing.

use std::time::Duration;

use bascule_model::{AdminState, BasisPoints, Instant};

/// The longest text that is kept: what a person reads in a line.
const TEXT_CHARS_MAX: usize = 120;

/// How an agent is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AgentPolicy {
    /// Where it listens, on the endpoint's address.
    pub port: u16,
    /// Between two questions. Default 2 s, as agents are used to.
    pub interval: Duration,
}

impl AgentPolicy {
    /// The interval where none is given.
    pub const INTERVAL: Duration = Duration::from_secs(2);
}

/// Why an agent says that its endpoint does not work. To edges they are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentDown {
    /// `down`.
    Down,
    /// `fail`.
    Fail,
    /// `stopped`.
    Stopped,
}

impl AgentDown {
    /// The agent's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Fail => "fail",
            Self::Stopped => "stopped",
        }
    }
}

/// What one line says; what it does not mention stays as it was.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AgentLine {
    /// What it wants: ready, drain or maint.
    pub admin: Option<AdminState>,
    /// What it sees: up (`None` inside), or why not.
    pub seen: Option<Option<AgentDown>>,
    /// How much of its part the endpoint can take.
    pub weight: Option<BasisPoints>,
    /// What stands after `#`, for people.
    pub text: String,
}

impl AgentLine {
    /// Reads the first line of an answer. `None` when it holds no known word, or is no text.
    #[must_use]
    pub fn read(answer: &[u8]) -> Option<Self> {
        let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
        let line = answer.split(is_end).next().unwrap_or_default();
        let line = std::str::from_utf8(line).ok()?;
        let (words, text) = line.split_once('#').unwrap_or((line, ""));
        let visible = text.trim().chars().filter(|c| !c.is_control());
        let mut read = Self {
            text: visible.take(TEXT_CHARS_MAX).collect(),
            ..Self::default()
        };
        let mut known = false;
        for word in words.split([' ', '\t', ',']) {
            known |= read.take(&word.to_ascii_lowercase());
        }
        known.then_some(read)
    }

    /// Takes a word; whether it is known.
    fn take(&mut self, word: &str) -> bool {
        match word {
            "ready" => self.admin = Some(AdminState::Ready),
            "drain" => self.admin = Some(AdminState::Drain),
            "maint" => self.admin = Some(AdminState::Maint),
            "up" => self.seen = Some(None),
            "down" => self.seen = Some(Some(AgentDown::Down)),
            "fail" => self.seen = Some(Some(AgentDown::Fail)),
            "stopped" => self.seen = Some(Some(AgentDown::Stopped)),
            _ => match percent(word) {
                Some(weight) => self.weight = Some(weight),
                None => return false,
            },
        }
        true
    }
}

/// `75%`; more than all is all, as a weight here is a part of the endpoint's own.
fn percent(word: &str) -> Option<BasisPoints> {
    let digits = word.strip_suffix('%')?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let percent: u16 = digits.parse().unwrap_or(u16::MAX);
    Some(BasisPoints::saturating(percent.saturating_mul(100)))
}

/// What an agent has said, in all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentState {
    /// What it wants.
    pub admin: AdminState,
    /// Why it does not work, if it says so.
    pub down: Option<AgentDown>,
    /// How much of its part the endpoint can take.
    pub weight: BasisPoints,
    /// Its last text; may be empty.
    pub text: String,
    /// When it was heard last; `None`: never yet.
    pub heard_at: Option<Instant>,
}

impl Default for AgentState {
    /// An agent that has not been heard changes nothing.
    fn default() -> Self {
        Self {
            admin: AdminState::Ready,
            down: None,
            weight: BasisPoints::FULL,
            text: String::new(),
            heard_at: None,
        }
    }
}

impl AgentState {
    /// Takes a line; whether anything but the time changed.
    pub(crate) fn hear(&mut self, now: Instant, line: AgentLine) -> bool {
        let before = (self.effect(), std::mem::take(&mut self.text));
        self.admin = line.admin.unwrap_or(self.admin);
        self.down = line.seen.unwrap_or(self.down);
        self.weight = line.weight.unwrap_or(self.weight);
        self.text = line.text;
        self.heard_at = Some(now);
        before != (self.effect(), self.text.clone())
    }

    const fn effect(&self) -> (AdminState, Option<AgentDown>, BasisPoints) {
        (self.admin, self.down, self.weight)
    }

    /// What it wants of edges: 0 % is to drain.
    #[must_use]
    pub fn wanted(&self) -> AdminState {
        if self.weight.is_zero() {
            self.admin.max(AdminState::Drain)
        } else {
            self.admin
        }
    }

    /// Whether it takes the endpoint out: nothing new goes there.
    #[must_use]
    pub fn takes_out(&self) -> bool {
        self.down.is_some() || !self.wanted().takes_new()
    }

    /// Whether it says nothing that matters: it is as if there were no agent.
    #[must_use]
    pub fn is_ordinary(&self) -> bool {
        self.effect() == Self::default().effect() && self.text.is_empty()
    }

    fn is_reduced(&self) -> bool {
        self.weight != BasisPoints::FULL
    }
}

impl std::fmt::Display for AgentState {
    /// `drain, down, 50 %, disk full`: what differs from the ordinary; `ready` when nothing does.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts = Vec::new();
        if self.admin != AdminState::Ready || (self.down.is_none() && !self.is_reduced()) {
            parts.push(self.admin.as_str().to_owned());
        }
        parts.extend(self.down.map(|down| down.as_str().to_owned()));
        if self.is_reduced() {
            parts.push(format!("{:.0} %", self.weight.percent()));
        }
        if !self.text.is_empty() {
            parts.push(self.text.clone());
        }
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Instant = Instant::ZERO;

    /// An agent that said these lines, one after the other.
    fn after(lines: &[&str]) -> AgentState {
        let mut state = AgentState::default();
        for line in lines {
            if let Some(line) = AgentLine::read(line.as_bytes()) {
                state.hear(NOW, line);
            }
        }
        state
    }

    #[test]
    fn lines_are_shown_as_they_are_meant() {
        for (line, shown) in [
            ("75%\n", "75 %"),
            ("up 50% #busy\r\n", "50 %, busy"),
            ("drain\n", "drain"),
            ("DOWN,#disk full\n", "down, disk full"),
            ("maint\tfail #a\x07b\u{1b}[1m\n", "maint, fail, ab[1m"),
            ("stopped", "stopped"),
            ("300%\n", "ready"),
            ("99999999999999%\n", "ready"),
            ("0%\n", "0 %"),
            ("ready weight:12 maxconn:30\nmaint\n", "ready"),
        ] {
            assert_eq!(after(&[line]).to_string(), shown, "{line:?}");
        }
    }

    #[test]
    fn what_holds_no_known_word_says_nothing() {
        for line in [
            &b""[..],
            b"\n",
            b"# up\n",
            b"weight:12\n",
            b"-5%\n",
            b"%\n",
            b"+5%\n",
            b"HTTP/1.1 200 OK\r\n",
            b"up\xff\n",
            b"upward\n",
        ] {
            assert_eq!(AgentLine::read(line), None, "{line:?}");
        }
    }

    #[test]
    fn each_word_undoes_only_its_own_kind() {
        let state = after(&["drain down 40%", "up"]);
        assert_eq!((state.admin, state.down), (AdminState::Drain, None));
        assert_eq!(state.weight.get(), 4000);
        let state = after(&["maint fail", "ready"]);
        assert_eq!(state.admin, AdminState::Ready);
        assert_eq!(state.down, Some(AgentDown::Fail));
        let state = after(&["0%"]);
        assert_eq!(state.wanted(), AdminState::Drain);
        assert_eq!(after(&["0%", "100%"]).wanted(), AdminState::Ready);
    }

    #[test]
    fn garbage_changes_nothing() {
        assert_eq!(after(&["drain 10% #x", "oops"]), after(&["drain 10% #x"]));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_and_the_text_is_bounded(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            if let Some(line) = AgentLine::read(&bytes) {
                prop_assert!(line.text.chars().count() <= TEXT_CHARS_MAX);
                prop_assert!(!line.text.chars().any(char::is_control));
            }
        }
    }
}
