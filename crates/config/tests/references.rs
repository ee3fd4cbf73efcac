//! The generated references under `docs/reference/` are what the tables say now. `-- --ignored` writes them anew, as
//! `cargo xtask gen` does.

use std::path::{Path, PathBuf};

use bascule_config::{config_reference, errors_reference};

fn references() -> [(PathBuf, String); 2] {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference");
    [
        (folder.join("config.md"), config_reference()),
        (folder.join("errors.md"), errors_reference()),
    ]
}

#[test]
fn the_references_are_what_the_tables_say() {
    for (path, text) in references() {
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            text,
            "{}",
            path.display()
        );
    }
}

#[test]
#[ignore = "writes the references"]
fn bless() {
    for (path, text) in references() {
        std::fs::write(path, text).unwrap();
    }
}
