//! What a single value may be: one [`Form`] a key, each with the function that reads it and the words that describe it.
//! A form decides whether a scalar is a value and says how to mend it if not; it knows nothing of other keys.
//! `form/unit` and `form/whole` have numbers with units, `form/bits` rates of bits, `form/money` prices, `form/day` dates, `form/address` has addresses, URLs, hosts and paths, `form/advice` what people write
//! instead.

use std::net::SocketAddr;
use std::time::Duration;

use bascule_health::policy::StatusRange;
use bascule_model::{BasisPoints, Currency, Date, Price, Remaining, Volume};
use bascule_plan::Bounds;
use bascule_traffic::spec::{EndpointUrl, HostPattern};
use ipnet::IpNet;

use crate::config::ListenAddress;
use crate::node::{Core, Scalar};
use crate::{similar, write};

pub(crate) mod address;
mod advice;
pub(crate) mod bits;
mod day;
pub(crate) mod money;
mod path;
mod plain;
mod srv;
pub(crate) mod unit;
mod whole;

/// What a single value may be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    /// Any text that is not empty.
    Text,
    /// The path of a file.
    File,
    /// A name, as `bascule_model::name` says.
    Name,
    /// `true` or `false`.
    Bool,
    /// The version of the shape.
    Version,
    /// A whole number, both ends included.
    Integer(u64, u64),
    /// As `Integer`, or `auto`.
    IntegerOrAuto(u64, u64),
    /// A number from 0 to 1.
    Ratio,
    /// A time with unit; both ends included.
    Duration(Duration, Duration),
    /// Bytes with unit; both ends included.
    Size(u64, u64),
    /// Percent, both ends included.
    Percent(BasisPoints, BasisPoints),
    /// Whole percent, also above 100; both ends included.
    WholePercent(u16, u16),
    /// Percent with `+`: how much more.
    Rise,
    /// Percent, `..`, percent.
    PercentRange,
    /// A number a second; both ends included.
    Rate(u32, u32),
    /// Bits a second with unit; both ends included.
    BitRate(u64, u64),
    /// Money for a GB.
    Price,
    /// Bytes that are billed, with unit in powers of 1000; both ends included.
    Volume(Volume, Volume),
    /// A volume, or an amount of money.
    Remaining,
    /// A day.
    Date,
    /// A status, or `200-299`.
    Status,
    /// `:8080`, or an address with port; port 0 is any.
    Listen,
    /// An address with port.
    Socket,
    /// `http`, `https` or `h2c` with an address or name.
    Url,
    /// A network.
    Network,
    /// A host of a match: a name, or `*.` and a name.
    Host,
    /// A path of a match.
    Path,
    /// A path by whole segments.
    Prefix,
    /// The `Host` of a request: a name or address, with port if need be.
    Authority,
    /// The name of a header field; in lower case where it is used.
    Field,
    /// The name of a cookie.
    Cookie,
    /// A path with query: what a check asks for.
    Target,
    /// What is sent or looked for on the wire: any characters, so many bytes at most.
    Wire(usize),
    /// One of these words; the second list is refused as not available yet.
    Choice(&'static [&'static str], &'static [Later]),
}

/// A key or value that the configuration will have, and does not have yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Later {
    /// As it will be written.
    pub(crate) name: &'static str,
    /// What it will do, as the end of "… is not available yet".
    pub(crate) feature: &'static str,
}

/// A value that was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Word(&'static str),
    Bool(bool),
    Integer(u64),
    Auto,
    Ratio(f64),
    Duration(Duration),
    Size(u64),
    Percent(BasisPoints),
    Rise(f64),
    Bounds(Bounds),
    Rate(u32),
    BitRate(u64),
    Price(Price, Currency),
    Volume(Volume),
    Remaining(Remaining),
    Date(Date),
    Status(StatusRange),
    Listen(ListenAddress),
    Socket(SocketAddr),
    Url(EndpointUrl),
    Network(IpNet),
    Host(HostPattern),
}

/// Why a scalar is not a value, and what it could be instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) label: String,
    /// How to mend it; boxed, as a result should stay small.
    pub(crate) advice: Box<Advice>,
}

/// How to mend a value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Advice {
    pub(crate) help: Option<String>,
    pub(crate) note: Option<String>,
    /// The text that would be right and can only have been meant; not yet quoted for YAML.
    pub(crate) fix: Option<Replacement>,
}

/// A text to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Replacement {
    /// A text; quoted where YAML needs it.
    Text(String),
    /// A number or `true`: never quoted.
    Plain(String),
}

impl Problem {
    pub(crate) fn new(
        code: &'static str,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> Self {
        let (message, label) = (message.into(), label.into());
        Self {
            code,
            message,
            label,
            advice: Box::default(),
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.advice.help = Some(help.into());
        self
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.advice.note = Some(note.into());
        self
    }

    /// A safe fix; where there is no other help it is named as help.
    pub(crate) fn fix(mut self, text: impl Into<String>) -> Self {
        let text = text.into();
        self.advice
            .help
            .get_or_insert_with(|| format!("write `{}`", write::text(&text)));
        self.advice.fix = Some(Replacement::Text(text));
        self
    }

    pub(crate) fn fix_plain(mut self, text: impl Into<String>) -> Self {
        let text = text.into();
        self.advice
            .help
            .get_or_insert_with(|| format!("write `{text}` without quotes"));
        self.advice.fix = Some(Replacement::Plain(text));
        self
    }

    /// With advice, if there is some.
    fn advised(self, advised: Option<advice::Advised>) -> Self {
        match advised {
            Some(advice::Advised::Help(help)) => self.help(help),
            Some(advice::Advised::Fix(text)) => self.fix(text),
            None => self,
        }
    }

    pub(crate) fn without_fix(mut self) -> Self {
        self.advice.fix = None;
        self
    }
}

impl Form {
    /// Reads a scalar.
    pub(crate) fn read(self, scalar: &Scalar) -> Result<Value, Problem> {
        let text = scalar.text.as_str();
        match self {
            Self::Bool => plain::boolean(scalar).map(Value::Bool),
            Self::Version => plain::version(scalar).map(Value::Integer),
            Self::Integer(min, max) => plain::integer(scalar, min, max).map(Value::Integer),
            Self::IntegerOrAuto(min, max) => match text {
                "auto" => Ok(Value::Auto),
                _ => plain::integer(scalar, min, max)
                    .map(Value::Integer)
                    .map_err(|p| p.note("accepted here: `auto`, or a number")),
            },
            Self::Ratio => plain::ratio(scalar).map(Value::Ratio),
            Self::Choice(words, later) => choice(text, words, later),
            Self::Status => unit::status(text).map(Value::Status),
            Self::Listen => address::listen(scalar).map(Value::Listen),
            Self::Duration(min, max) => unit::duration(text, min, max).map(Value::Duration),
            Self::Size(min, max) => unit::size(text, min, max).map(Value::Size),
            Self::Percent(min, max) => unit::percent(text, min, max).map(Value::Percent),
            Self::WholePercent(min, max) => {
                whole::whole_percent(text, min, max).map(Value::Integer)
            }
            Self::Field => string(scalar).and_then(address::field).map(Value::Text),
            Self::Cookie => string(scalar).and_then(address::cookie).map(Value::Text),
            Self::Rise => unit::rise(text).map(Value::Rise),
            Self::PercentRange => unit::percent_range(text).map(Value::Bounds),
            Self::Rate(min, max) => unit::rate(text, min, max).map(Value::Rate),
            Self::BitRate(min, max) => bits::bit_rate(text, min, max).map(Value::BitRate),
            Self::Price => {
                money::price(text).map(|(price, currency)| Value::Price(price, currency))
            }
            Self::Volume(min, max) => money::volume(text, min, max).map(Value::Volume),
            Self::Remaining => money::remaining(text).map(Value::Remaining),
            Self::Date => day::date(text).map(Value::Date),
            Self::Text | Self::File | Self::Name => plain_text(scalar).map(Value::Text),
            Self::Socket => match scalar.core {
                Core::Integer(port) => address::socket(&format!(":{port}")),
                _ => string(scalar).and_then(address::socket),
            }
            .map(Value::Socket),
            Self::Url => string(scalar).and_then(address::url).map(Value::Url),
            Self::Network => string(scalar)
                .and_then(address::network)
                .map(Value::Network),
            Self::Host => string(scalar).and_then(address::host).map(Value::Host),
            Self::Path => string(scalar).and_then(path::path).map(Value::Text),
            Self::Prefix => string(scalar).and_then(path::prefix).map(Value::Text),
            Self::Authority => string(scalar).and_then(address::authority).map(Value::Text),
            Self::Target => string(scalar).and_then(path::target).map(Value::Text),
            Self::Wire(bytes_max) => wire_text(scalar, bytes_max).map(Value::Text),
        }
    }
}

/// The text of a scalar that must be text.
fn string(scalar: &Scalar) -> Result<&str, Problem> {
    if scalar.core == Core::Text {
        return Ok(&scalar.text);
    }
    let text = &scalar.text;
    Err(Problem::new(
        "E0201",
        format!("`{text}` is not text"),
        "this is not text in YAML",
    )
    .fix(text))
}

/// Text for the wire: line ends and other control characters are part of it.
fn wire_text(scalar: &Scalar, bytes_max: usize) -> Result<String, Problem> {
    let text = string(scalar)?;
    match text.len() {
        0 => Err(Problem::new(
            "E0215",
            "the text is empty",
            "nothing between the quotes",
        )),
        length if length > bytes_max => {
            let message = format!("the text has {length} bytes");
            let label = format!("{bytes_max} bytes at most");
            Err(Problem::new("E0203", message, label)
                .help("a part that tells it from others is enough"))
        }
        _ => Ok(text.to_owned()),
    }
}

fn plain_text(scalar: &Scalar) -> Result<String, Problem> {
    let text = string(scalar)?;
    if text.is_empty() {
        return Err(Problem::new(
            "E0215",
            "the text is empty",
            "nothing between the quotes",
        ));
    }
    if text.chars().any(char::is_control) {
        let label = "holds a line break or another control character";
        return Err(Problem::new(
            "E0215",
            "the text holds a control character",
            label,
        ));
    }
    Ok(text.to_owned())
}

fn choice(text: &str, words: &'static [&'static str], later: &[Later]) -> Result<Value, Problem> {
    if let Some(word) = words.iter().find(|word| **word == text) {
        return Ok(Value::Word(word));
    }
    let accepted = format!("accepted here: {}", words.join(", "));
    if let Some(later) = later.iter().find(|later| later.name == text) {
        let message = format!("`{text}` is not available yet: {}", later.feature);
        return Err(
            Problem::new("E0191", message, "will be accepted by a later version").note(accepted),
        );
    }
    let problem = Problem::new(
        "E0204",
        format!("`{text}` is not accepted here"),
        "not one of the accepted words",
    )
    .note(accepted);
    // `TLSv1.2` where `1.2` is a word.
    let number = text.trim_start_matches(|c: char| !c.is_ascii_digit());
    let meant = words.iter().find(|word| **word == number).copied();
    if text == "https" && words.contains(&"http") {
        // With the word alone mended, what was meant to be TLS would be clear text.
        return Err(problem.help("TLS is the key `tls`; the kind is `http`"));
    }
    let meant = meant.or_else(|| advice::word(text, words));
    Err(
        match meant.or_else(|| similar::nearest(text, words.iter().copied())) {
            Some(word) => problem.help(format!("did you mean `{word}`?")).fix(word),
            None => problem,
        },
    )
}
