//! How rare a count is among draws that are independent: the tails of the binomial distribution, summed exactly. Pure.

/// A number of draws.
#[derive(Debug)]
pub(super) struct Draws {
    count: u32,
    /// The logarithms of the factorials up to it: a term as small as (1-p)^1000 is none as a number.
    factorials: Vec<f64>,
}

impl Draws {
    pub(super) fn new(count: u32) -> Self {
        let mut sum = 0.0;
        let logarithms = (1..=count).map(|n| {
            sum += f64::from(n).ln();
            sum
        });
        Self {
            count,
            factorials: std::iter::once(0.0).chain(logarithms).collect(),
        }
    }

    /// How often as many as `heard` or more are of a part `p`, or as many or fewer: the rarer of both.
    pub(super) fn tail(&self, heard: u32, p: f64) -> f64 {
        if p >= 1.0 {
            return if heard < self.count { 0.0 } else { 1.0 };
        }
        let fewer: f64 = (0..=heard).map(|count| self.term(count, p)).sum();
        let more: f64 = (heard..=self.count).map(|count| self.term(count, p)).sum();
        fewer.min(more)
    }

    /// How often it is just so many; `p` between 0 and 1.
    pub(super) fn term(&self, heard: u32, p: f64) -> f64 {
        let Some(others) = self.count.checked_sub(heard) else {
            return 0.0;
        };
        let ways = self.factorial(self.count) - self.factorial(heard) - self.factorial(others);
        (ways + f64::from(heard) * p.ln() + f64::from(others) * (-p).ln_1p()).exp()
    }

    fn factorial(&self, of: u32) -> f64 {
        let at = usize::try_from(of).unwrap_or(usize::MAX);
        self.factorials.get(at).copied().unwrap_or(f64::INFINITY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_near(found: f64, wanted: f64) -> bool {
        (found - wanted).abs() <= wanted * 1e-9
    }

    #[test]
    fn tails_are_those_that_can_be_counted_by_hand() {
        // Ten throws of a coin: none, at most two, and half of them or more.
        let coin = Draws::new(10);
        assert!(is_near(coin.tail(0, 0.5), 1.0 / 1024.0));
        assert!(is_near(coin.tail(2, 0.5), 56.0 / 1024.0));
        assert!(is_near(coin.tail(8, 0.5), 56.0 / 1024.0));
        // Three throws of a die: two sixes or more.
        assert!(is_near(Draws::new(3).tail(2, 1.0 / 6.0), 16.0 / 216.0));
        // Far out it is small and not nothing.
        assert!(is_near(Draws::new(20).tail(0, 0.5), 0.5_f64.powi(20)));
    }

    #[test]
    fn the_whole_is_always_drawn() {
        let draws = Draws::new(100);
        assert!(is_near(draws.tail(100, 1.0), 1.0));
        assert!(draws.tail(99, 1.0) <= 0.0);
    }

    #[test]
    fn all_counts_together_are_certain() {
        let draws = Draws::new(1_000);
        let sum: f64 = (0..=1_000).map(|count| draws.term(count, 0.003)).sum();
        assert!(is_near(sum, 1.0), "{sum}");
    }
}
