//! The rules of the code base that the compiler does not hold: ranks of crates, purity of the core, a module doc in
//! every file, the top level, a recorded reason for every dependency. Runs as a command and as a test. All findings are
//! reported in one run. Each rule is a function from the tree to findings; the rules must never change the tree.

use std::path::Path;

use anyhow::{Result, bail};

use crate::say;

mod crates;
mod files;

/// What a rule found: where, and what is wrong with it.
pub(crate) type Findings = Vec<String>;

/// Runs every rule and fails when one found something.
pub(crate) fn run(root: &Path) -> Result<()> {
    let findings = all(root)?;
    for finding in &findings {
        say::line(finding);
    }
    match findings.len() {
        0 => {
            say::line("tidy");
            Ok(())
        }
        n => bail!("{n} findings"),
    }
}

fn all(root: &Path) -> Result<Findings> {
    let packages = crates::read(root)?;
    // A workspace of its own, and none of the product's crates: only its dependencies are looked at.
    let fuzz = crates::read(&root.join("tests/fuzz"))?;
    let sources = files::read(root)?;
    Ok([
        crates::ranks(&packages),
        crates::purity(&packages),
        crates::recorded(root, packages.iter().chain(&fuzz))?,
        files::module_docs(&sources),
        files::no_mod_files(&sources),
        files::length(&sources),
        files::pure_sources(&sources),
        files::check_apart_from_solve(&sources),
        files::top_level(root)?,
    ]
    .concat())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tree_is_tidy() {
        let root = crate::root().unwrap();
        let findings = super::all(&root).unwrap();
        assert!(findings.is_empty(), "{findings:#?}");
    }
}
