//! Whether DNS answers as an actuator's numbers say. Answers are counted by whose values they hold, and the counts held against
//! the numbers by the exact binomial test: a name server that draws each answer by weight gives a part `p` in `k` of `n` answers
//! with the chance `C(n,k) p^k (1-p)^(n-k)`, and counts whose tail, on either side, is rarer than a bound differ (R. A. Fisher's
//! exact reasoning as in Clopper and Pearson, Biometrika 26, 1934; the bound is divided by the number of parts and sides, after
//! Bonferroni, so that it holds for a look as a whole). What no chance explains differs at once: an answer of what is off, and a
//! value that is nobody's. Route 53 documents that it draws so (Developer Guide, "Weighted routing"). Who asks, and when a
//! difference is told, is decided in `control::apply`. Pure.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bascule_model::{BackendName, BasisPoints};

use crate::port::{Setting, Settings, Values};

mod chance;

use chance::Draws;

/// How rarely counts may come from what is set and yet differ: one look in a million. A look a minute makes half a million a
/// year, so that one alone is told by nobody: two in a row that differ by chance are one in 10^12, or two million years.
pub const ALARM: f64 = 1e-6;
/// The same once a difference was told: it is over when the counts are such as 99 looks of 100 at what is set give. Narrower,
/// so that what is at the edge of a difference does not come and go.
pub const OVER: f64 = 1e-2;
/// Fewer answers say nothing: below, the half of them could be silent by chance more often than [`ALARM`] (2^-20).
pub const FEWEST: u32 = 20;
/// What an answer without records is counted as.
pub const NOTHING: &str = "no record";

/// So many values that are nobody's are told apart, which is more than a person reads; those beyond are counted together.
const STRANGERS_MAX: usize = 16;
/// What they are counted as.
const OTHERS: &str = "other values";

/// Whose answers are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    /// A member's.
    Member(BackendName),
    /// Of what is set there and not ours.
    Foreign(String),
    /// Of nobody that is set: the value.
    Nobody(String),
}

/// Answers, counted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heard {
    /// All of them.
    pub answers: u32,
    /// Those that hold a value of its own, or are this value. One that holds values of several counts for each.
    pub of: BTreeMap<Whose, u32>,
    /// Those that are of several, or of one of several that share a value.
    pub mixed: u32,
}

impl Heard {
    /// Counts answers by what is set.
    #[must_use]
    pub fn count(settings: &Settings, answers: &[Values]) -> Self {
        let mut owners: BTreeMap<&str, Vec<Whose>> = BTreeMap::new();
        for part in parts(settings) {
            for value in part.values.into_iter().flatten() {
                owners.entry(value).or_default().push(part.whose.clone());
            }
        }
        let mut heard = Self::default();
        for answer in answers {
            heard.answers += 1;
            heard.add(answer, &owners);
        }
        heard
    }

    fn add(&mut self, answer: &Values, owners: &BTreeMap<&str, Vec<Whose>>) {
        let mut whose: BTreeSet<Whose> = BTreeSet::new();
        let mut is_shared = false;
        if answer.is_empty() {
            whose.insert(Whose::Nobody(NOTHING.to_owned()));
        }
        for value in answer {
            match owners.get(value.as_str()).map(Vec::as_slice) {
                Some([owner]) => drop(whose.insert(owner.clone())),
                Some(_) => is_shared = true,
                None => drop(whose.insert(Whose::Nobody(value.clone()))),
            }
        }
        let known = whose.iter().filter(|one| !matches!(one, Whose::Nobody(_)));
        if is_shared || known.count() > 1 {
            self.mixed += 1;
        }
        let mut is_beyond = false;
        for one in whose {
            let is_stranger = matches!(one, Whose::Nobody(_));
            if is_stranger && !self.of.contains_key(&one) && self.strangers() >= STRANGERS_MAX {
                is_beyond = true;
            } else {
                *self.of.entry(one).or_default() += 1;
            }
        }
        if is_beyond {
            let others = Whose::Nobody(OTHERS.to_owned());
            *self.of.entry(others).or_default() += 1;
        }
    }

    fn strangers(&self) -> usize {
        let all = self.of.keys();
        all.filter(|one| matches!(one, Whose::Nobody(_))).count()
    }

    fn of(&self, whose: &Whose) -> u32 {
        self.of.get(whose).copied().unwrap_or(0)
    }
}

/// What the counts say of the numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Chance explains them.
    Agrees,
    /// It does not.
    Differs(Difference),
    /// They say nothing.
    Unclear(Unclear),
}

/// What chance does not explain; of several the clearest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Of whom.
    pub whose: Whose,
    /// How many answers were its.
    pub heard: u32,
    /// How many there were.
    pub answers: u32,
    /// The part that is set.
    pub wanted: BasisPoints,
}

/// Why counts say nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unclear {
    /// So many answers are too few.
    Few(u32),
    /// Nothing has a weight.
    Nothing,
    /// An answer is of several, so that parts cannot be counted.
    Several,
    /// It has a weight, and its answers are not known: an alias.
    Unknown(Whose),
}

/// Whether the counts are such as what is set gives; a difference is one that comes by chance at most so often. What has no
/// known values, an alias, is not judged, and what might be its answer is nobody's difference.
#[must_use]
pub fn judge(settings: &Settings, heard: &Heard, chance: f64) -> Verdict {
    let parts: Vec<Part<'_>> = parts(settings).collect();
    let total: u64 = parts.iter().map(|part| part.weight).sum();
    if total == 0 {
        return Verdict::Unclear(Unclear::Nothing);
    }
    let differs = |whose: &Whose, weight: u64| {
        Verdict::Differs(Difference {
            whose: whose.clone(),
            heard: heard.of(whose),
            answers: heard.answers,
            wanted: BasisPoints::from_ratio(ratio(weight, total)),
        })
    };
    let loud = |part: &&Part<'_>| part.weight == 0 && heard.of(&part.whose) > 0;
    if let Some(part) = parts.iter().find(loud) {
        return differs(&part.whose, 0);
    }
    let alias = parts
        .iter()
        .find(|part| part.weight > 0 && part.values.is_none_or(BTreeSet::is_empty));
    let strangers = heard.of.iter();
    let strangers = strangers.filter(|(whose, _)| matches!(whose, Whose::Nobody(_)));
    if let (Some((stranger, _)), None) = (strangers.max_by_key(|(_, count)| **count), alias) {
        return differs(stranger, 0);
    }
    if heard.answers < FEWEST {
        return Verdict::Unclear(Unclear::Few(heard.answers));
    }
    if heard.mixed > 0 {
        return Verdict::Unclear(Unclear::Several);
    }
    let draws = Draws::new(heard.answers);
    let on = parts.iter().filter(|part| part.weight > 0);
    let sides = f64::from(u32::try_from(2 * on.clone().count()).unwrap_or(u32::MAX));
    let known = on.filter(|part| part.values.is_some_and(|values| !values.is_empty()));
    let is_rare = |part: &&Part<'_>| {
        draws.tail(heard.of(&part.whose), ratio(part.weight, total)) < chance / sides
    };
    // In whole numbers, so that of two members, each as far off as the other, it is always the same one.
    let far = |part: &&Part<'_>| {
        let found = u64::from(heard.of(&part.whose)) * total;
        Reverse(found.abs_diff(u64::from(heard.answers) * part.weight))
    };
    match (known.filter(is_rare).min_by_key(far), alias) {
        (Some(part), _) => differs(&part.whose, part.weight),
        (None, Some(alias)) => Verdict::Unclear(Unclear::Unknown(alias.whose.clone())),
        (None, None) => Verdict::Agrees,
    }
}

/// What is set to get a part of the answers.
#[derive(Debug)]
struct Part<'a> {
    whose: Whose,
    weight: u64,
    values: Option<&'a Values>,
}

fn parts(settings: &Settings) -> impl Iterator<Item = Part<'_>> {
    let (members, foreign) = (settings.members.iter(), settings.foreign.iter());
    let members = members.map(|(name, member)| Part {
        whose: Whose::Member(name.clone()),
        weight: match member.setting {
            Some(Setting::Weight(weight)) => u64::from(weight) * u64::from(member.size),
            Some(Setting::Off) | None => 0,
        },
        values: settings.dns.members.get(name),
    });
    let foreign = foreign.map(|(name, weight)| Part {
        whose: Whose::Foreign(name.clone()),
        weight: u64::from(*weight),
        values: settings.dns.foreign.get(name),
    });
    members.chain(foreign)
}

#[expect(clippy::cast_precision_loss, reason = "weights are far below 2^52")]
fn ratio(weight: u64, total: u64) -> f64 {
    weight as f64 / total as f64
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member(name) => name.fmt(f),
            Self::Foreign(name) | Self::Nobody(name) => name.fmt(f),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            whose,
            heard,
            answers,
            wanted,
        } = self;
        write!(f, "DNS answers {whose} {heard} of {answers}, ")?;
        match whose {
            Whose::Nobody(_) => f.write_str("which is nobody's there"),
            _ if wanted.is_zero() => f.write_str("which is off"),
            _ => write!(f, "where {wanted} % is set"),
        }
    }
}

impl fmt::Display for Unclear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Few(count) => write!(f, "{count} answers of DNS are too few to tell"),
            Self::Nothing => f.write_str("nothing has a weight there"),
            Self::Several => {
                f.write_str("an answer of DNS is of several, so that parts cannot be counted")
            }
            Self::Unknown(whose) => {
                write!(f, "{whose} is an alias there, whose answers are not known")
            }
        }
    }
}

#[cfg(test)]
mod tests;
