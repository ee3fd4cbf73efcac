//! Names that people write: of services, backends, providers and listeners. Checked once, when parsed; cheap to clone.
//! A name never holds a character that would need quoting in a URL path, a metric label or a shell.

use std::fmt;
use std::sync::Arc;

/// The longest name accepted, in bytes: the limit of a DNS label, so that a name can become one.
pub const NAME_BYTES_MAX: usize = 63;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty.
    #[error("a name must not be empty")]
    Empty,
    /// The text is longer than [`NAME_BYTES_MAX`].
    #[error("a name has at most {NAME_BYTES_MAX} characters")]
    TooLong,
    /// A character outside `a-z A-Z 0-9 - _ .`, or a first character that is not a letter or digit.
    #[error("a name has letters, digits, `-`, `_` and `.`, and starts with a letter or digit")]
    Character,
}

fn check(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > NAME_BYTES_MAX {
        return Err(NameError::TooLong);
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if starts_well && text.chars().all(allowed) {
        Ok(())
    } else {
        Err(NameError::Character)
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and keeps a name.
            ///
            /// # Errors
            /// [`NameError`] when the text is empty, too long or holds another character.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                check(text).map(|()| Self(Arc::from(text)))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::parse(text)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

name! {
    /// What clients ask for.
    ServiceName
}
name! {
    /// One share-holder of a service: one provider in one region.
    BackendName
}
name! {
    /// Who runs a backend: a failure domain.
    ProviderName
}
name! {
    /// One entry of `listen`.
    ListenerName
}

impl From<&BackendName> for ProviderName {
    /// The default provider of a backend has the backend's name.
    fn from(backend: &BackendName) -> Self {
        Self(Arc::clone(&backend.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_when_parsed() {
        for good in ["a", "aws-use1", "oci_iad.2", "0"] {
            assert_eq!(
                ServiceName::parse(good).map(|n| n.to_string()),
                Ok(good.to_owned())
            );
        }
        assert_eq!(BackendName::parse(""), Err(NameError::Empty));
        assert_eq!(BackendName::parse(&"x".repeat(64)), Err(NameError::TooLong));
        for bad in ["-a", ".a", "a b", "a/b", "ä", "a\n"] {
            assert_eq!(
                BackendName::parse(bad),
                Err(NameError::Character),
                "{bad:?}"
            );
        }
    }
}
