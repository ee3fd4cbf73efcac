//! Every example under `config/` loads without a warning, is in canonical layout, and comes back from `render` the same.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on says where"
)]

use std::path::{Path, PathBuf};

use bascule_config::{Config, MemorySource, fmt, load, render};

/// The files that the examples name: contents are only looked at for their PEM frames.
fn world() -> MemorySource {
    let block = |label: &str| {
        format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n").into_bytes()
    };
    let mut world = MemorySource::default();
    for path in [
        "/etc/bascule/meet.crt",
        "/etc/bascule/api.crt",
        "/etc/bascule/oci-roots.pem",
    ] {
        world.files.insert(path.to_owned(), block("CERTIFICATE"));
    }
    for path in ["/etc/bascule/meet.key", "/etc/bascule/api.key"] {
        world.files.insert(path.to_owned(), block("PRIVATE KEY"));
    }
    world
        .files
        .insert("/etc/bascule/tokens".to_owned(), Vec::new());
    let secret = vec![b'x'; 48];
    world
        .files
        .insert("/etc/bascule/affinity".to_owned(), secret);
    world
}

fn examples() -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "yaml"));
    files.sort();
    assert!(files.len() >= 4, "{files:?}");
    files
        .into_iter()
        .map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()))
        .collect()
}

fn loaded(path: &Path, text: &str) -> Config {
    let loaded =
        load(&path.display().to_string(), text, &world()).unwrap_or_else(|d| panic!("{d}"));
    assert!(loaded.warnings.items.is_empty(), "{}", loaded.warnings);
    loaded.config
}

#[test]
fn every_example_loads_without_a_warning() {
    for (path, text) in examples() {
        loaded(&path, &text);
    }
}

#[test]
fn every_example_is_in_canonical_layout() {
    for (path, text) in examples() {
        assert_eq!(
            fmt("example", &text).unwrap_or_else(|d| panic!("{d}")),
            text,
            "{}",
            path.display()
        );
    }
}

#[test]
fn every_example_comes_back_from_render_the_same() {
    for (path, text) in examples() {
        let config = loaded(&path, &text);
        assert_eq!(
            loaded(&path, &render(&config)),
            config,
            "{}",
            path.display()
        );
    }
}

#[test]
fn the_full_example_has_every_key() {
    let (_, text) = examples()
        .into_iter()
        .find(|(path, _)| path.ends_with("full.yaml"))
        .unwrap();
    let reference = bascule_config::config_reference();
    let keys = reference
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let missing: Vec<&str> = keys
        .filter(|key| !text.contains(&format!("{key}:")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
