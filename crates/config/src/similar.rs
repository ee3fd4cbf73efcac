//! Did you mean: the nearest of the accepted words, if it is near enough to be a slip of the fingers.

/// The accepted word that is nearest to what was written; `None` when none is near, or two are equally near.
pub(crate) fn nearest<'a>(
    written: &str,
    accepted: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let limit = match written.chars().count() {
        0..=4 => 1,
        5..=6 => 2,
        _ => 3,
    };
    let lower = written.to_lowercase().replace('-', "_");
    let mut best: Option<(usize, &str)> = None;
    let mut tied = false;
    for word in accepted {
        let plain = word.to_lowercase().replace('-', "_");
        let distance = distance(&lower, &plain);
        let shortest = word.chars().count();
        if distance > limit || distance >= shortest {
            continue;
        }
        match best {
            Some((nearest, _)) if distance > nearest => {}
            Some((nearest, _)) if distance == nearest => tied = true,
            _ => {
                best = Some((distance, word));
                tied = false;
            }
        }
    }
    best.filter(|_| !tied).map(|(_, word)| word)
}

/// How many letters must be put in, taken out, replaced or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    let mut previous = None;
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX / 2);
            let replaced = at(&row, j) + usize::from(x != *y);
            let mut least = replaced.min(at(&row, j + 1) + 1).min(at(&next, j) + 1);
            let swapped = j > 0 && previous == Some(*y) && b.get(j - 1) == Some(&x);
            if swapped {
                least = least.min(at(&before, j - 1) + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
        previous = Some(x);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let keys = ["weight", "role", "provider", "region", "host", "endpoints"];
        for (written, meant) in [
            ("wieght", Some("weight")),
            ("Weight", Some("weight")),
            ("endpoint", Some("endpoints")),
            ("provder", Some("provider")),
            ("rle", Some("role")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, keys), meant, "{written}");
        }
    }

    #[test]
    fn a_tie_suggests_nothing() {
        assert_eq!(nearest("ab", ["aa", "bb"]), None);
    }

    #[test]
    fn distances_count_swaps_once() {
        assert_eq!(distance("wieght", "weight"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
    }
}
