//! The token file: `name:role:sha256hex` a line, `#` comments. It holds hashes of 256-bit random tokens, never a token;
//! a fast hash is enough for those. A file that others can write, or read, is refused.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use subtle::ConstantTimeEq;

use crate::api::AccessRole;

/// The tokens that are known.
#[derive(Debug, Clone, Default)]
pub struct Tokens(Vec<Token>);

#[derive(Clone)]
struct Token {
    name: String,
    role: AccessRole,
    hash: [u8; 32],
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Why a token file is not used.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// It cannot be read.
    #[error("cannot read the token file {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Others may read or write it.
    #[error(
        "the token file {path} has mode {mode:04o}; it must be 0600 or 0640 (chmod 0600 {path})"
    )]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A line is not `name:role:sha256hex`.
    #[error(
        "line {line} of the token file is not name:role:sha256hex, with role viewer, operator or admin"
    )]
    Line {
        /// The line, from 1. Its text is not shown: it may hold a token by mistake.
        line: usize,
    },
    /// Two lines have one name.
    #[error("line {line} of the token file has the name of an earlier one")]
    Twice {
        /// The line, from 1.
        line: usize,
    },
}

impl Tokens {
    /// Reads a file.
    ///
    /// # Errors
    /// [`TokenFileError`] when it cannot be read, others may read or write it, or a line does not fit.
    pub fn read(path: &Path) -> Result<Self, TokenFileError> {
        let failed = |source| TokenFileError::Read {
            path: path.to_owned(),
            source,
        };
        // The opened file is looked at, not the path: it cannot be swapped in between.
        let mut file = std::fs::File::open(path).map_err(failed)?;
        let mode = file.metadata().map_err(failed)?.mode() & 0o777;
        if mode & 0o037 != 0 {
            let path = path.to_owned();
            return Err(TokenFileError::Mode { path, mode });
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(failed)?;
        Self::parse(&text)
    }

    /// Reads a text.
    ///
    /// # Errors
    /// [`TokenFileError::Line`] or [`TokenFileError::Twice`].
    pub fn parse(text: &str) -> Result<Self, TokenFileError> {
        let mut tokens: Vec<Token> = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let (line, number) = (line.trim(), at + 1);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let token = token(line).ok_or(TokenFileError::Line { line: number })?;
            if tokens.iter().any(|known| known.name == token.name) {
                return Err(TokenFileError::Twice { line: number });
            }
            tokens.push(token);
        }
        Ok(Self(tokens))
    }

    /// Whose token this is. Every line is compared, in constant time each.
    pub(crate) fn find(&self, token: &str) -> Option<(&str, AccessRole)> {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
        let mut found = None;
        for known in &self.0 {
            if bool::from(known.hash.as_slice().ct_eq(digest.as_ref())) {
                found = Some((known.name.as_str(), known.role));
            }
        }
        found
    }
}

fn token(line: &str) -> Option<Token> {
    let mut parts = line.split(':');
    let (name, role, hash) = (parts.next()?, parts.next()?, parts.next()?);
    let role = match role {
        "viewer" => AccessRole::Viewer,
        "operator" => AccessRole::Operator,
        "admin" => AccessRole::Admin,
        _ => return None,
    };
    let named = !name.is_empty() && name.chars().all(|c| c.is_ascii_graphic());
    (named && parts.next().is_none()).then_some(())?;
    Some(Token {
        name: name.to_owned(),
        role,
        hash: unhex(hash)?,
    })
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok()))
        .collect();
    let bytes: Vec<u8> = digits?
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |byte, digit| byte * 16 + digit))
        .collect();
    (text.len() == 64).then(|| bytes.try_into().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const HASH: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

    #[test]
    fn lines_that_do_not_fit_are_refused_by_number_and_never_shown() {
        let bad = [
            "ops:operator".to_owned(),
            format!("ops:king:{HASH}"),
            format!(":admin:{HASH}"),
            format!("ops:admin:{HASH}0"),
            format!("ops:admin:{HASH}:x"),
            "ops:admin:topsecret".to_owned(),
        ];
        for line in bad {
            let error = Tokens::parse(&format!("# tokens\n{line}\n")).unwrap_err();
            assert!(matches!(error, TokenFileError::Line { line: 2 }), "{line}");
            assert!(!error.to_string().contains("topsecret"));
        }
        let twice = Tokens::parse(&format!("a:viewer:{HASH}\na:admin:{HASH}"));
        assert!(matches!(twice, Err(TokenFileError::Twice { line: 2 })));
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        std::fs::write(&path, format!("ops:admin:{HASH}\n")).unwrap();
        for (mode, good) in [
            (0o600, true),
            (0o640, true),
            (0o400, true),
            (0o644, false),
            (0o660, false),
            (0o602, false),
        ] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(Tokens::read(&path).is_ok(), good, "{mode:o}");
        }
        assert!(Tokens::read(&folder.path().join("none")).is_err());
    }
}
