//! Paths: of a match, exact or by prefix, and of a check.

use super::Problem;
use super::advice::{self, Advised};

/// A path of a match: `/api`, without query and, but for `/` itself, without a slash at the end.
pub(crate) fn path(text: &str) -> Result<String, Problem> {
    let text = target(text)?;
    match text.split_once('?') {
        Some((path, _)) => {
            Err(Problem::new("E0209", "a match looks at the path only", "holds a query").fix(path))
        }
        None => Ok(text),
    }
}

/// A prefix of a match: whole segments, so that a slash at the end would say nothing.
pub(crate) fn prefix(text: &str) -> Result<String, Problem> {
    let text = path(text)?;
    if let Some(bare) = text.strip_suffix('*') {
        let problem = Problem::new(
            "E0209",
            "a prefix takes everything below it by itself",
            "`*` would be an ordinary sign",
        );
        let bare = bare.trim_end_matches('/');
        return Err(problem.fix(if bare.is_empty() { "/" } else { bare }));
    }
    match text.strip_suffix('/') {
        Some(bare) if !bare.is_empty() => {
            let problem = Problem::new(
                "E0209",
                "a prefix is matched by whole segments",
                "ends in `/`",
            );
            let bare = bare.trim_end_matches('/');
            let bare = if bare.is_empty() { "/" } else { bare };
            Err(problem
                .fix(bare)
                .note("prefix `/a` takes `/a` and `/a/b`, not `/ab`"))
        }
        _ => Ok(text),
    }
}

/// What a check asks for: a path, with query if need be.
pub(crate) fn target(text: &str) -> Result<String, Problem> {
    let allowed = |c: char| {
        c.is_ascii_graphic()
            && !matches!(
                c,
                '#' | '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}'
            )
    };
    if !text.chars().all(allowed) {
        let problem = Problem::new(
            "E0209",
            format!("`{text}` is not a path"),
            "holds a character that must be percent-encoded",
        );
        return Err(problem.advised(advice::path(text).map(Advised::Help)));
    }
    if text.starts_with('/') {
        return Ok(text.to_owned());
    }
    let problem = Problem::new(
        "E0209",
        format!("`{text}` is not a path"),
        "a path starts with `/`",
    );
    Err(match advice::path(text) {
        Some(help) => problem.help(help),
        None => problem.fix(format!("/{text}")),
    })
}
