//! What goes wrong, where and when, and what a request or a check meets because of it. A fault is a thing that happens to
//! real endpoints and paths, by a name that tests and people use; a [`Condition`] is what its victim sees on the wire.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bascule_model::Instant;

/// How long a flapping endpoint works, and refuses, in turn.
pub const FLAP: Duration = Duration::from_millis(700);

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Answers come late; checks pass.
    Slow,
    /// Every second answer is a 503; checks pass.
    HalfErrors,
    /// Every answer is a 503, to checks too.
    Unavailable,
    /// Refuses connections and works, in turn.
    Flap,
    /// Refuses connections; those there were are gone.
    Refuse,
    /// Takes connections and resets them.
    Reset,
    /// Takes connections and requests, and never answers; checks neither.
    Blackhole,
    /// A whole provider is gone: no packet comes back.
    ProviderLoss,
    /// Requests get no answer, checks pass.
    DataPathLoss,
    /// Checks get no answer, requests are served.
    ProbePathLoss,
}

impl Fault {
    /// All of them. A run over many seeds must have met each.
    pub const ALL: [Self; 10] = [
        Self::Slow,
        Self::HalfErrors,
        Self::Unavailable,
        Self::Flap,
        Self::Refuse,
        Self::Reset,
        Self::Blackhole,
        Self::ProviderLoss,
        Self::DataPathLoss,
        Self::ProbePathLoss,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::HalfErrors => "half errors",
            Self::Unavailable => "503",
            Self::Flap => "flap",
            Self::Refuse => "refuse",
            Self::Reset => "reset",
            Self::Blackhole => "blackhole",
            Self::ProviderLoss => "provider loss",
            Self::DataPathLoss => "data-path loss",
            Self::ProbePathLoss => "probe-path loss",
        }
    }

    /// Whether connections that are open when it begins are cut.
    #[must_use]
    pub const fn cuts_connections(self) -> bool {
        matches!(self, Self::Flap | Self::Refuse | Self::Reset)
    }

    /// What it does on this path, `since` its beginning.
    const fn condition(self, path: Path, since: Duration) -> Condition {
        match (self, path) {
            (Self::Slow, Path::Data) => Condition::Slow,
            (Self::HalfErrors, Path::Data) => Condition::HalfErrors,
            (Self::Unavailable, _) => Condition::Unavailable,
            (Self::Flap, _) if (since.as_millis() / FLAP.as_millis()).is_multiple_of(2) => {
                Condition::Refuses
            }
            (Self::Refuse, _) => Condition::Refuses,
            (Self::Reset, _) => Condition::Resets,
            (Self::Blackhole, _) | (Self::DataPathLoss, Path::Data) => Condition::Silent,
            (Self::ProviderLoss, _) | (Self::ProbePathLoss, Path::Probe) => Condition::Lost,
            (Self::Slow | Self::HalfErrors | Self::DataPathLoss, Path::Probe)
            | (Self::Flap, _)
            | (Self::ProbePathLoss, Path::Data) => Condition::Well,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// By which way an endpoint is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// A request.
    Data,
    /// A check.
    Probe,
}

/// What is met, the worse the later: where faults coincide, the worst is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// It works.
    Well,
    /// The answer comes late.
    Slow,
    /// Every second answer is a 503.
    HalfErrors,
    /// Every answer is a 503.
    Unavailable,
    /// A connection is made, and reset once something is asked.
    Resets,
    /// Connections are refused.
    Refuses,
    /// A connection is made, what is asked arrives, and no answer comes.
    Silent,
    /// Nothing arrives and nothing comes back.
    Lost,
}

/// A fault at some endpoints, for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// What.
    pub fault: Fault,
    /// Of these endpoints, by their places in the layout.
    pub places: Vec<usize>,
    /// Seen from this edge alone; `None`: from everywhere.
    pub edge: Option<usize>,
    /// When it begins.
    pub from: Instant,
    /// When it is over.
    pub until: Instant,
}

impl Outage {
    fn concerns(&self, edge: usize, place: usize, now: Instant) -> bool {
        self.from <= now
            && now < self.until
            && self.edge.is_none_or(|only| only == edge)
            && self.places.contains(&place)
    }
}

/// All outages, and how often each fault was met.
#[derive(Debug, Clone, Default)]
pub struct Weather {
    outages: Vec<Outage>,
    met: BTreeMap<Fault, u64>,
}

impl Weather {
    /// These outages.
    #[must_use]
    pub fn new(outages: Vec<Outage>) -> Self {
        Self {
            outages,
            met: BTreeMap::new(),
        }
    }

    /// The outages.
    #[must_use]
    pub fn outages(&self) -> &[Outage] {
        &self.outages
    }

    /// What somebody meets at an endpoint now. Counted.
    pub fn meet(&mut self, path: Path, edge: usize, place: usize, now: Instant) -> Condition {
        let (condition, fault) = self.look(path, edge, place, now);
        if let Some(fault) = fault {
            *self.met.entry(fault).or_default() += 1;
        }
        condition
    }

    /// What somebody would meet.
    #[must_use]
    pub fn look(
        &self,
        path: Path,
        edge: usize,
        place: usize,
        now: Instant,
    ) -> (Condition, Option<Fault>) {
        let here = self
            .outages
            .iter()
            .filter(|outage| outage.concerns(edge, place, now));
        let conditions = here.map(|outage| {
            let condition = outage.fault.condition(path, now.since(outage.from));
            (condition, Some(outage.fault))
        });
        let worst = conditions
            .filter(|(condition, _)| *condition != Condition::Well)
            .max();
        worst.unwrap_or((Condition::Well, None))
    }

    /// How often each fault was met.
    #[must_use]
    pub const fn met(&self) -> &BTreeMap<Fault, u64> {
        &self.met
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outage(fault: Fault) -> Outage {
        Outage {
            fault,
            places: vec![1],
            edge: None,
            from: Instant::from_millis(1000),
            until: Instant::from_millis(5000),
        }
    }

    #[test]
    fn an_outage_holds_where_and_while_it_lasts_and_nowhere_else() {
        let mut here = outage(Fault::Refuse);
        here.edge = Some(0);
        let mut weather = Weather::new(vec![here]);
        let mut meet = |edge, place, millis| {
            weather.meet(Path::Data, edge, place, Instant::from_millis(millis))
        };
        assert_eq!(meet(0, 1, 1000), Condition::Refuses);
        assert_eq!(meet(0, 1, 999), Condition::Well);
        assert_eq!(meet(0, 1, 5000), Condition::Well);
        assert_eq!(meet(0, 0, 1000), Condition::Well);
        assert_eq!(meet(1, 1, 1000), Condition::Well);
        assert_eq!(weather.met(), &BTreeMap::from([(Fault::Refuse, 1)]));
    }

    #[test]
    fn paths_are_lost_one_without_the_other() {
        let at = Instant::from_millis(2000);
        let look = |fault, path| Weather::new(vec![outage(fault)]).look(path, 0, 1, at).0;
        assert_eq!(look(Fault::DataPathLoss, Path::Data), Condition::Silent);
        assert_eq!(look(Fault::DataPathLoss, Path::Probe), Condition::Well);
        assert_eq!(look(Fault::ProbePathLoss, Path::Data), Condition::Well);
        assert_eq!(look(Fault::ProbePathLoss, Path::Probe), Condition::Lost);
    }

    #[test]
    fn a_flapping_endpoint_refuses_and_works_in_turn() {
        let weather = Weather::new(vec![outage(Fault::Flap)]);
        let look = |millis| {
            weather
                .look(Path::Data, 0, 1, Instant::from_millis(millis))
                .0
        };
        assert_eq!(look(1000), Condition::Refuses);
        assert_eq!(look(1700), Condition::Well);
        assert_eq!(look(2400), Condition::Refuses);
    }

    #[test]
    fn of_two_faults_the_worse_is_met() {
        let weather = Weather::new(vec![outage(Fault::ProviderLoss), outage(Fault::Slow)]);
        let met = weather.look(Path::Data, 0, 1, Instant::from_millis(1000));
        assert_eq!(met, (Condition::Lost, Some(Fault::ProviderLoss)));
    }
}
