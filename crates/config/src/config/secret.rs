//! Secrets that seal cookies. They are never shown: not in debug output, not in an effective configuration.

use std::fmt;
use std::sync::Arc;

/// The shortest secret, in bytes: what is drawn at random for it has at least 128 bits then, whatever its alphabet.
pub const SECRET_BYTES_MIN: usize = 32;
/// Secrets in a file: the one that seals, and those before it that cookies in use were sealed by. Each costs the time of a
/// look at every cookie that is not ours.
pub const SECRETS_MAX: usize = 4;

/// The secrets of one file, the first of which seals.
#[derive(Clone, PartialEq, Eq)]
pub struct Secrets(Arc<[Box<[u8]>]>);

impl Secrets {
    /// From the content of a file: one a line; empty lines and those that begin with `#` are none.
    ///
    /// # Errors
    /// Why the file gives none, as the label of a diagnostic.
    pub(crate) fn parse(content: &[u8]) -> Result<Self, String> {
        let lines = content.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with(b"#"));
        let secrets: Vec<Box<[u8]>> = lines.map(Box::from).collect();
        if let Some(at) = secrets.iter().position(|s| s.len() < SECRET_BYTES_MIN) {
            let (number, long) = (at + 1, secrets.get(at).map_or(0, |s| s.len()));
            return Err(format!(
                "secret {number} has {long} characters; at least {SECRET_BYTES_MIN} are needed"
            ));
        }
        match secrets.len() {
            0 => Err("no secret in this file".to_owned()),
            1..=SECRETS_MAX => Ok(Self(secrets.into())),
            many => Err(format!(
                "{many} secrets; at most {SECRETS_MAX} are looked at"
            )),
        }
    }

    /// Each of them, the one that seals first.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|secret| &**secret)
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_lines_that_are_long_enough() {
        let (one, two) = ("a".repeat(32), "b".repeat(40));
        let secrets = Secrets::parse(format!("# new\n{one}\n\n {two} \n").as_bytes()).unwrap();
        let read: Vec<&[u8]> = secrets.iter().collect();
        assert_eq!(read, [one.as_bytes(), two.as_bytes()]);
        assert_eq!(format!("{secrets:?}"), "2 secrets");
        for bad in ["", "# none", "short", &format!("{one}\n").repeat(5)] {
            assert!(Secrets::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
