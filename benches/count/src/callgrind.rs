//! Reads what callgrind writes: the instructions of the whole run, and of each function by itself. It reads the plain form
//! (`--compress-strings=no --compress-pos=no --dump-line=no`), and only what the gate needs.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

/// Instructions of one run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Profile {
    /// All of them.
    pub(crate) total: u64,
    /// By function, those it calls left out.
    pub(crate) by_function: BTreeMap<String, u64>,
}

impl Profile {
    /// Reads a file's text.
    ///
    /// # Errors
    /// There is no total, or a number is none.
    pub(crate) fn read(text: &str) -> Result<Self> {
        let mut profile = Self::default();
        let mut total = None;
        let mut function = String::new();
        // The line after `calls=` holds what the callee took: not this function's own.
        let mut is_callee = false;
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("fn=") {
                name.clone_into(&mut function);
            } else if let Some(sum) = line
                .strip_prefix("summary:")
                .or(line.strip_prefix("totals:"))
            {
                total = Some(sum.trim().parse().with_context(|| line.to_owned())?);
            } else if line.starts_with("calls=") {
                is_callee = true;
            } else if line.starts_with(|first: char| first.is_ascii_digit())
                && !std::mem::take(&mut is_callee)
            {
                *profile.by_function.entry(function.clone()).or_default() += own(line)?;
            }
        }
        profile.total = total.context("callgrind's file has no total")?;
        Ok(profile)
    }

    /// What `self` has more than a shorter run, function by function, the most first.
    pub(crate) fn beyond(&self, shorter: &Self) -> Vec<(&str, u64)> {
        let before = |name: &str| shorter.by_function.get(name).copied().unwrap_or(0);
        let more = |(name, own): (&'_ String, &u64)| own.saturating_sub(before(name));
        let mut functions: Vec<(&str, u64)> = self
            .by_function
            .iter()
            .map(|entry| (entry.0.as_str(), more(entry)))
            .filter(|(_, own)| *own > 0)
            .collect();
        functions.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        functions
    }
}

/// The cost in a line of position and cost; a line without cost is zero.
fn own(line: &str) -> Result<u64> {
    let cost = line.split_whitespace().nth(1);
    cost.map_or(Ok(0), |cost| cost.parse().with_context(|| line.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# callgrind format
events: Ir
summary: 190

ob=/bin/x
fl=a.rs
fn=serve
0 100
cfi=b.rs
cfn=parse
calls=3 0
0 60
fn=parse
0 40
fe=c.rs
0 20

fn=serve
0 30

totals: 190
";

    #[test]
    fn what_a_callee_took_is_not_counted_twice() {
        let profile = Profile::read(TEXT).unwrap();
        assert_eq!(profile.total, 190);
        let own: Vec<_> = profile
            .by_function
            .iter()
            .map(|(n, c)| (n.as_str(), *c))
            .collect();
        assert_eq!(own, [("parse", 60), ("serve", 130)]);
    }

    #[test]
    fn the_difference_of_two_runs_leaves_out_what_both_did() {
        let long = Profile::read(TEXT).unwrap();
        let short = Profile::read(&TEXT.replace("0 40", "0 39").replace("0 30", "0 0")).unwrap();
        assert_eq!(long.beyond(&short), [("serve", 30), ("parse", 1)]);
    }

    #[test]
    fn a_file_that_was_cut_is_an_error() {
        assert!(Profile::read("fn=serve\n0 100\n").is_err());
        assert!(Profile::read("summary: many\n").is_err());
    }
}
