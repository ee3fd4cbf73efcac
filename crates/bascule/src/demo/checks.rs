//! What must hold in the demo, and whether it did. A failed check is told at once and again in the summary.

use super::load::Figures;
use super::out::Out;

/// The checks of one run.
#[derive(Debug, Default)]
pub(super) struct Checks(Vec<Check>);

#[derive(Debug, serde::Serialize)]
struct Check {
    name: String,
    holds: bool,
    found: String,
}

impl Checks {
    /// Keeps a check; tells it when it failed.
    pub(super) fn that(&mut self, out: &Out, name: &str, holds: bool, found: &str) {
        if !holds {
            out.tell("CHECK FAILED", &format!("{name}: {found}"));
        }
        self.0.push(Check {
            name: name.to_owned(),
            holds,
            found: found.to_owned(),
        });
    }

    /// Whether all held.
    pub(super) fn all_hold(&self) -> bool {
        self.0.iter().all(|check| check.holds)
    }

    /// How many there were.
    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    /// For programs.
    pub(super) fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(&self.0).unwrap_or_default()
    }
}

/// Compares counts with the shares that were in effect. `slack` is how many requests the split may be off: each
/// worker's schedule is off by less than two in any window, and requests in flight at the window's ends may belong to
/// it or not.
pub(super) fn split_is_exact(
    figures: &Figures,
    shares: &[(String, f64)],
    slack: f64,
) -> (bool, String) {
    #[expect(clippy::cast_precision_loss, reason = "thousands of requests")]
    let requests = figures.requests as f64;
    let off = |(name, percent): &(String, f64)| {
        #[expect(clippy::cast_precision_loss, reason = "thousands of requests")]
        let count = figures.by_provider.get(name).copied().unwrap_or(0) as f64;
        (count - requests * percent / 100.0).abs()
    };
    let worst = shares.iter().map(off).fold(0.0, f64::max);
    let counted: Vec<String> = shares
        .iter()
        .map(|(name, _)| format!("{name} {:.2} %", figures.percent(name)))
        .collect();
    let found = format!(
        "{} of {requests} requests, off by {worst:.1} of {slack:.0} allowed",
        counted.join("  ")
    );
    (worst <= slack, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(aws: u64, oci: u64) -> Figures {
        let by_provider = [("aws".to_owned(), aws), ("oci".to_owned(), oci)].into();
        Figures {
            requests: aws + oci,
            by_provider,
            ..Figures::default()
        }
    }

    #[test]
    fn a_split_that_is_off_by_more_than_the_slack_is_not_exact() {
        let shares = [("aws".to_owned(), 70.0), ("oci".to_owned(), 30.0)];
        assert!(split_is_exact(&figures(703, 297), &shares, 4.0).0);
        assert!(!split_is_exact(&figures(705, 295), &shares, 4.0).0);
    }
}
