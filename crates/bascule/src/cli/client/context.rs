//! Where the admin API is: named by a person, or the first socket that exists. It must not guess further than that: a
//! command that goes to another process than meant is worse than one that fails.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::cli::exit::{CliError, Exit};

/// Where the admin API is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Context {
    /// A unix socket.
    Unix(PathBuf),
    /// `host:port`.
    Tcp(String),
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(authority) => write!(f, "http://{authority}"),
        }
    }
}

impl Context {
    /// Reads `unix:/path` or `http://host:port`.
    pub(crate) fn parse(text: &str) -> Result<Self, CliError> {
        let wrong = |why: &str| {
            CliError::new(Exit::Usage, format!("`{text}` is no context: {why}")).with_help(
                "write --context unix:/run/bascule/admin.sock or --context http://127.0.0.1:9901",
            )
        };
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return match path {
                "" => Err(wrong("the path is missing")),
                path => Ok(Self::Unix(PathBuf::from(path))),
            };
        }
        if text.starts_with("https:") {
            return Err(wrong(
                "https is not there yet; use the socket, or a tunnel to it",
            ));
        }
        let Some(authority) = text.strip_prefix("http://") else {
            return Err(wrong("it starts with neither `unix:` nor `http://`"));
        };
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let port = authority
            .rsplit_once(':')
            .map(|(host, port)| (host, port.parse::<u16>()));
        match port {
            Some((host, Ok(_))) if !host.is_empty() && !authority.contains('/') => {
                Ok(Self::Tcp(authority.to_owned()))
            }
            _ => Err(wrong("it is not http://host:port")),
        }
    }

    /// The sockets that are looked at, in order.
    pub(crate) fn candidates(env: impl Fn(&str) -> Option<String>) -> Vec<PathBuf> {
        let own = env("BASCULE_SOCKET").map(PathBuf::from);
        let run = PathBuf::from("/run/bascule/admin.sock");
        let user = env("XDG_RUNTIME_DIR").map(|dir| PathBuf::from(dir).join("bascule/admin.sock"));
        own.into_iter().chain([run]).chain(user).collect()
    }

    /// The first socket that exists.
    pub(crate) fn first(candidates: &[PathBuf]) -> Result<Self, CliError> {
        if let Some(path) = candidates.iter().find(|path| path.exists()) {
            return Ok(Self::Unix(path.clone()));
        }
        let looked: Vec<String> = candidates
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        Err(CliError::new(Exit::Unreachable, "no admin socket is there")
            .with_detail(format!("looked at {}", looked.join(", ")))
            .with_help("start one with `bascule run --config FILE`, or name another with --context unix:/path"))
    }

    /// The value of `Host`.
    pub(crate) fn host(&self) -> &str {
        match self {
            Self::Unix(_) => "localhost",
            Self::Tcp(authority) => authority,
        }
    }

    /// The error of a connection that could not be made.
    pub(crate) fn unreachable(&self, error: &io::Error) -> CliError {
        if error.kind() == io::ErrorKind::PermissionDenied {
            return CliError::new(Exit::NotPermitted, format!("{self}: {error}"))
                .with_help("the socket is for root and the user that runs bascule");
        }
        CliError::new(
            Exit::Unreachable,
            format!("cannot reach the admin API at {self}: {error}"),
        )
        .with_help("is bascule running there? start it with `bascule run --config FILE`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_are_a_socket_or_host_and_port() {
        let unix = |path: &str| Ok(Context::Unix(PathBuf::from(path)));
        assert_eq!(Context::parse("unix:/run/a.sock"), unix("/run/a.sock"));
        assert_eq!(Context::parse("unix:///run/a.sock"), unix("/run/a.sock"));
        assert_eq!(
            Context::parse("http://[::1]:99/"),
            Ok(Context::Tcp("[::1]:99".to_owned()))
        );
        for bad in [
            "",
            "unix:",
            "/run/a.sock",
            "http://",
            "http://host",
            "http://:1",
            "https://a:1",
            "http://a:1/b",
        ] {
            assert_eq!(
                Context::parse(bad).map_err(|e| e.exit),
                Err(Exit::Usage),
                "{bad}"
            );
        }
    }

    #[test]
    fn the_first_socket_that_exists_is_used() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("bascule")).unwrap();
        std::fs::write(dir.path().join("bascule/admin.sock"), "").unwrap();
        let env = |name: &str| match name {
            "XDG_RUNTIME_DIR" => Some(dir.path().display().to_string()),
            _ => Some("/nowhere/a.sock".to_owned()),
        };
        let candidates = Context::candidates(env);
        assert_eq!(candidates.len(), 3);
        let missing = Context::first(candidates.get(..1).unwrap()).unwrap_err();
        assert_eq!(missing.exit, Exit::Unreachable);
        assert!(missing.to_string().contains("/nowhere/a.sock"));
        let found = Context::first(&[candidates[0].clone(), candidates[2].clone()]);
        assert_eq!(
            found,
            Ok(Context::Unix(dir.path().join("bascule/admin.sock")))
        );
    }
}
