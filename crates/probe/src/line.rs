//! The line in front of the wire: which check is next, when there are more than may be made at once. First come, first
//! served, but for one thing: checks of what did not answer last time hold their places longest, and may take half of them
//! only, so that one provider that hangs does not delay what is said of the others. It must never leave a place empty while
//! a check may take it, nor let one wait for ever: a check that is due waits for those before it, each at most its
//! time-out.

use std::collections::VecDeque;

/// How many may be on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Places {
    /// In all.
    pub(crate) all: usize,
    /// Of those, for the slow; at least one.
    pub(crate) slow: usize,
}

impl Places {
    /// So many, and half of them for the slow.
    pub(crate) const fn new(all: usize) -> Self {
        let slow = if all > 1 { all / 2 } else { 1 };
        Self { all, slow }
    }
}

/// What is to be expected of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// It answers.
    Brisk,
    /// It did not answer in time when it was asked last.
    Slow,
}

/// Checks that wait, and how many are on the wire.
#[derive(Debug)]
pub(crate) struct Line<T> {
    places: Places,
    /// With the order of their coming.
    brisk: VecDeque<(u64, T)>,
    slow: VecDeque<(u64, T)>,
    running: usize,
    running_slow: usize,
    came: u64,
}

impl<T> Line<T> {
    pub(crate) const fn new(places: Places) -> Self {
        Self {
            places,
            brisk: VecDeque::new(),
            slow: VecDeque::new(),
            running: 0,
            running_slow: 0,
            came: 0,
        }
    }

    /// A check comes.
    pub(crate) fn join(&mut self, check: T, pace: Pace) {
        self.came += 1;
        match pace {
            Pace::Brisk => self.brisk.push_back((self.came, check)),
            Pace::Slow => self.slow.push_back((self.came, check)),
        }
    }

    /// The next that may go on the wire; it holds a place from now on, until it [leaves](Self::leave).
    pub(crate) fn next(&mut self) -> Option<(T, Pace)> {
        if self.running >= self.places.all {
            return None;
        }
        let brisk = self.brisk.front().map(|(number, _)| *number);
        let slow = self.slow.front().map(|(number, _)| *number);
        let slow = slow.filter(|_| self.running_slow < self.places.slow);
        let pace = match (brisk, slow) {
            (None, None) => return None,
            (Some(brisk), Some(slow)) if slow < brisk => Pace::Slow,
            (None, Some(_)) => Pace::Slow,
            (Some(_), _) => Pace::Brisk,
        };
        let (_, check) = match pace {
            Pace::Brisk => self.brisk.pop_front()?,
            Pace::Slow => {
                self.running_slow += 1;
                self.slow.pop_front()?
            }
        };
        self.running += 1;
        Some((check, pace))
    }

    /// One that was on the wire has ended.
    pub(crate) fn leave(&mut self, pace: Pace) {
        self.running = self.running.saturating_sub(1);
        if pace == Pace::Slow {
            self.running_slow = self.running_slow.saturating_sub(1);
        }
    }

    /// Those that wait and are no longer wanted go.
    pub(crate) fn retain(&mut self, wanted: impl Fn(&T) -> bool) {
        self.brisk.retain(|(_, check)| wanted(check));
        self.slow.retain(|(_, check)| wanted(check));
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.brisk.len() + self.slow.len()
    }
}

#[cfg(test)]
mod tests;
