//! Single values of the command line: shares, durations, targets. Each error names what was written and how to write it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bascule_model::{BackendName, BasisPoints, ProviderName, ServiceName};

/// A duration with units: `90s`, `3m`, `1h30m`, `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DurationArg(pub(crate) Duration);

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a duration; write a number with its unit, such as 500ms, 90s, 3m, 1h30m or 7d"
)]
pub(crate) struct DurationError(String);

impl FromStr for DurationArg {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let error = || DurationError(text.to_owned());
        let mut rest = text.trim();
        let mut total = Duration::ZERO;
        if rest.is_empty() {
            return Err(error());
        }
        while !rest.is_empty() {
            let digits = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            let (number, tail) = rest.split_at(digits);
            let letters = tail
                .find(|c: char| c.is_ascii_digit())
                .unwrap_or(tail.len());
            let (unit, next) = tail.split_at(letters);
            let number: u64 = number.parse().map_err(|_| error())?;
            let millis: u64 = match unit {
                "ms" => 1,
                "s" => 1_000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                _ => return Err(error()),
            };
            let part = Duration::from_millis(number.checked_mul(millis).ok_or_else(error)?);
            total = total.checked_add(part).ok_or_else(error)?;
            rest = next;
        }
        Ok(Self(total))
    }
}

/// One `BACKEND=PERCENT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShareArg {
    /// The backend.
    pub(crate) backend: BackendName,
    /// Its share.
    pub(crate) share: BasisPoints,
}

/// Reads `aws=50`, `aws=33.33` or `aws=50%`.
pub(crate) fn share(text: &str) -> Result<ShareArg, String> {
    let (name, number) = text
        .split_once('=')
        .ok_or_else(|| format!("`{text}` has no `=`; write BACKEND=PERCENT, such as aws=50"))?;
    let backend = BackendName::parse(name).map_err(|error| format!("`{name}`: {error}"))?;
    let share = percent(number).map_err(|error| format!("{name}: {error}"))?;
    Ok(ShareArg { backend, share })
}

/// Reads a step: a share above zero.
pub(crate) fn step(text: &str) -> Result<BasisPoints, String> {
    match percent(text)? {
        share if share.is_zero() => Err("a step must be above 0".to_owned()),
        share => Ok(share),
    }
}

/// Reads percent with at most two decimals, exactly: no float on the way.
fn percent(text: &str) -> Result<BasisPoints, String> {
    let wrong = || {
        format!(
            "`{text}` is not a percentage; write 0 to 100 with at most two decimals, such as 33.33"
        )
    };
    let number = text.strip_suffix('%').unwrap_or(text);
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = |t: &str| !t.is_empty() && t.chars().all(|c| c.is_ascii_digit());
    if !is_number(whole) || !is_number(part) || part.len() > 2 {
        return Err(wrong());
    }
    let whole: u16 = whole.parse().map_err(|_| wrong())?;
    let scale = if part.len() == 1 { 10 } else { 1 };
    let part: u16 = part.parse().map_err(|_| wrong())?;
    whole
        .checked_mul(100)
        .and_then(|whole| whole.checked_add(part * scale))
        .and_then(BasisPoints::new)
        .ok_or_else(|| format!("{text} is more than 100 %"))
}

/// What an admin state is set on, as written: the service may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TargetArg {
    /// `edge/self`: the edge that is asked.
    Edge,
    /// `provider/aws`.
    Provider(ProviderName),
    /// `backend/aws` or `backend/meet/aws`.
    Backend(Option<ServiceName>, BackendName),
    /// `endpoint/aws/10.0.1.10:8080` or `endpoint/meet/aws/10.0.1.10:8080`.
    Endpoint(Option<ServiceName>, BackendName, String),
}

impl fmt::Display for TargetArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let service =
            |s: &Option<ServiceName>| s.as_ref().map(|s| format!("{s}/")).unwrap_or_default();
        match self {
            Self::Edge => f.write_str("edge/self"),
            Self::Provider(p) => write!(f, "provider/{p}"),
            Self::Backend(s, b) => write!(f, "backend/{}{b}", service(s)),
            Self::Endpoint(s, b, e) => write!(f, "endpoint/{}{b}/{e}", service(s)),
        }
    }
}

/// Reads a target.
pub(crate) fn target(text: &str) -> Result<TargetArg, String> {
    let wrong = || {
        format!(
            "`{text}` is no target; write provider/PROVIDER, backend/[SERVICE/]BACKEND, \
             endpoint/[SERVICE/]BACKEND/ADDRESS or edge/self"
        )
    };
    fn name<N: FromStr>(text: &str) -> Result<N, String>
    where
        N::Err: fmt::Display,
    {
        text.parse().map_err(|error| format!("`{text}`: {error}"))
    }
    let parts: Vec<&str> = text.split('/').collect();
    match parts.as_slice() {
        ["provider", p] => Ok(TargetArg::Provider(name(p)?)),
        ["backend", b] => Ok(TargetArg::Backend(None, name(b)?)),
        ["backend", s, b] => Ok(TargetArg::Backend(Some(name(s)?), name(b)?)),
        ["endpoint", b, e] if !e.is_empty() => {
            Ok(TargetArg::Endpoint(None, name(b)?, (*e).to_owned()))
        }
        ["endpoint", s, b, e] if !e.is_empty() => Ok(TargetArg::Endpoint(
            Some(name(s)?),
            name(b)?,
            (*e).to_owned(),
        )),
        ["edge", "self"] => Ok(TargetArg::Edge),
        ["edge", ..] => Err(
            "an edge knows only itself: write edge/self, and name another with --context"
                .to_owned(),
        ),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_exactly() {
        for (text, points) in [
            ("a=50", 5000),
            ("a=33.33", 3333),
            ("a=0.5%", 50),
            ("a=0", 0),
            ("a=100", 10_000),
        ] {
            assert_eq!(share(text).unwrap().share.get(), points, "{text}");
        }
    }

    #[test]
    fn a_wrong_share_says_how_to_write_it() {
        for bad in [
            "a",
            "a=",
            "a=x",
            "a=-1",
            "a=1.234",
            "a=100.01",
            "a=999999999",
            "=5",
            "a b=5",
            "a=.5",
            "a=5.",
        ] {
            assert!(share(bad).is_err(), "{bad}");
        }
        assert_eq!(share("aws=101").unwrap_err(), "aws: 101 is more than 100 %");
        assert!(step("0").is_err());
    }

    #[test]
    fn durations_carry_units() {
        let read = |t: &str| t.parse::<DurationArg>().map(|d| d.0.as_millis());
        assert_eq!(read("500ms"), Ok(500));
        assert_eq!(read("1h30m"), Ok(5_400_000));
        assert_eq!(read("7d"), Ok(604_800_000));
        for bad in [
            "",
            "5",
            "h",
            "5 m",
            "1.5h",
            "-3s",
            "99999999999999999999s",
            "300000000000000d",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn targets_may_leave_the_service_out() {
        for (text, with) in [
            ("provider/aws", "provider/aws"),
            ("backend/aws", "backend/aws"),
            ("backend/meet/aws", "backend/meet/aws"),
            ("endpoint/aws/10.0.1.10:80", "endpoint/aws/10.0.1.10:80"),
            ("endpoint/meet/aws/[::1]:80", "endpoint/meet/aws/[::1]:80"),
            ("edge/self", "edge/self"),
        ] {
            assert_eq!(target(text).unwrap().to_string(), with);
        }
        for bad in [
            "aws",
            "provider/",
            "backend/a/b/c",
            "endpoint/a",
            "endpoint/a/",
            "edge/e-1",
            "provider/a b",
        ] {
            assert!(target(bad).is_err(), "{bad}");
        }
    }
}
