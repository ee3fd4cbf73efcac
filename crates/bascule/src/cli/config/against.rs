//! What a file is compared with: what runs, what is committed, or another file. Git is asked through its program, so that
//! its own settings and work trees count.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Text, show};
use crate::cli::args::Global;
use crate::cli::exit::{CliError, Exit};
use crate::cli::output::Output;
use crate::cli::session::Session;

/// What to compare with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Against {
    /// The running configuration.
    Live,
    /// The file as it is in a commit.
    Git(String),
    /// Another file.
    File(PathBuf),
}

impl Against {
    /// Reads what was written after `--against`.
    pub(super) fn parse(text: &str) -> Result<Self, CliError> {
        let usage = |message: String| Err(CliError::new(Exit::Usage, message));
        let known = "`live`, `git`, `git:REV`, or the path of a file";
        match text {
            "" => usage("--against is empty".to_owned()).map_err(|e| e.with_help(known)),
            "live" => Ok(Self::Live),
            "git" => Ok(Self::Git("HEAD".to_owned())),
            _ if Path::new(text).exists() => Ok(Self::File(PathBuf::from(text))),
            _ if text.starts_with("git:") => {
                let revision = text.trim_start_matches("git:");
                // A revision that begins so would be an option of git.
                if revision.is_empty() || revision.starts_with('-') {
                    return usage(format!("`{revision}` is no revision of git"))
                        .map_err(|e| e.with_help("such as git:HEAD~1, git:main or git:3f9c1e2"));
                }
                Ok(Self::Git(revision.to_owned()))
            }
            _ if text.chars().all(|c| c.is_ascii_digit()) => usage(format!(
                "revision {text} cannot be compared with: history keeps shares and states, not configurations"
            ))
            .map_err(|e| e.with_help("what is committed can be: --against git:REV")),
            _ => usage(format!("there is no file `{text}`")).map_err(|e| e.with_help(known)),
        }
    }

    /// Its text, and how it is called.
    pub(super) async fn text(
        &self,
        file: &Text,
        global: &Global,
        out: &mut Output,
    ) -> Result<(Text, String), CliError> {
        match self {
            Self::Live => {
                let mut session = Session::open(global, out)?;
                let text = show::live(&mut session).await?;
                let called = format!("the running configuration ({})", text.name);
                Ok((text, called))
            }
            Self::Git(revision) => committed(file, revision).map(|text| {
                let called = format!("{} of git", text.name);
                (text, called)
            }),
            Self::File(path) => Text::read(path).map(|text| {
                let called = text.name.clone();
                (text, called)
            }),
        }
    }
}

/// The file as it is in a commit of the repository that it is in.
fn committed(file: &Text, revision: &str) -> Result<Text, CliError> {
    let failed = |message: String| CliError::new(Exit::Failed, message);
    if file.is_stdin() {
        return Err(CliError::new(Exit::Usage, "standard input is in no commit"));
    }
    let name = file.path.file_name().unwrap_or_default();
    let folder = match file.path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let object = format!("{revision}:./{}", name.to_string_lossy());
    let shown = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["show", "--end-of-options", &object])
        .output();
    let shown = shown.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => failed("git is not installed, or not in PATH".to_owned())
            .with_help("compare with a file: --against FILE"),
        _ => failed(format!("git cannot be run: {error}")),
    })?;
    if !shown.status.success() {
        let said = String::from_utf8_lossy(&shown.stderr);
        let error = failed(format!(
            "git has no {object}, seen from {}",
            folder.display()
        ));
        let error = said.lines().fold(error, CliError::with_detail);
        return Err(error.with_help("is the file committed? `git log -- FILE` lists its revisions"));
    }
    Ok(Text {
        path: file.path.clone(),
        name: format!("{revision}:{}", file.path.display()),
        bytes: shown.stdout,
        env: file.env.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_compare_with_is_told_apart_and_slips_are_refused_with_what_is_accepted() {
        assert_eq!(Against::parse("live"), Ok(Against::Live));
        assert_eq!(Against::parse("git"), Ok(Against::Git("HEAD".to_owned())));
        assert_eq!(
            Against::parse("git:v1~2"),
            Ok(Against::Git("v1~2".to_owned()))
        );
        for (text, says) in [
            ("git:", "no revision"),
            ("git:--output=x", "no revision"),
            ("17", "history keeps shares"),
            ("nowhere.yaml", "there is no file"),
            ("", "empty"),
        ] {
            let error = Against::parse(text).unwrap_err();
            assert_eq!(error.exit, Exit::Usage, "{text}");
            assert!(error.to_string().contains(says), "{text}: {error}");
            assert!(!error.help.is_empty(), "{text}");
        }
    }

    #[test]
    fn a_file_without_a_repository_is_told_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("meet.yaml");
        std::fs::write(&path, "x").unwrap();
        let error = committed(&Text::read(&path).unwrap(), "HEAD")
            .map(|_| ())
            .unwrap_err();
        assert!(error.to_string().contains("git"), "{error}");
    }
}
