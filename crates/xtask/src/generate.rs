//! The references that are generated from the code: written by `gen`, compared by `gen --check`, so that they cannot
//! drift. The text comes from the binary itself.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::say;

/// Topic of `bascule internal-docs`, and the file that holds it.
const REFERENCES: [(&str, &str); 5] = [
    ("cli", "docs/reference/cli.md"),
    ("config", "docs/reference/config.md"),
    ("errors", "docs/reference/errors.md"),
    ("metrics", "docs/reference/metrics.md"),
    ("openapi", "docs/reference/openapi.json"),
];

/// Writes every reference.
pub(crate) fn write(root: &Path) -> Result<()> {
    for (path, text) in rendered(root)? {
        std::fs::create_dir_all(path.parent().context("a file has a folder")?)?;
        std::fs::write(&path, text)?;
        say::line(&format!("wrote {}", path.display()));
    }
    Ok(())
}

/// Fails when a reference differs from what the code says.
pub(crate) fn check(root: &Path) -> Result<()> {
    let drifted: Vec<String> = rendered(root)?
        .into_iter()
        .filter(|(path, text)| std::fs::read_to_string(path).ok().as_ref() != Some(text))
        .map(|(path, _)| path.display().to_string())
        .collect();
    match drifted.as_slice() {
        [] => Ok(()),
        _ => bail!(
            "differs from the code, run `cargo xtask gen`: {}",
            drifted.join(", ")
        ),
    }
}

fn rendered(root: &Path) -> Result<Vec<(PathBuf, String)>> {
    let render = |(topic, file): (&str, &str)| {
        let output = Command::new("cargo")
            .args([
                "run",
                "--quiet",
                "--package",
                "bascule",
                "--",
                "internal-docs",
                topic,
            ])
            .current_dir(root)
            .output()?;
        if !output.status.success() {
            bail!(
                "internal-docs {topic}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok((root.join(file), String::from_utf8(output.stdout)?))
    };
    REFERENCES.into_iter().map(render).collect()
}
