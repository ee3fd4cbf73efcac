//! A dump with planted secrets: no byte of them may be in the archive.

use std::io::Read as _;

use clap::Parser as _;

use super::*;
use crate::cli::args::Cli;
use crate::cli::output::Shared;

const TOKEN: &str = "b7c1d9e2f4a6880013579bdf2468ace0b7c1d9e2f4a6880013579bdf2468ace0";
const PASSWORD: &str = "correct-horse-battery";

fn run_on(dir: &Path, words: &[&str]) -> (CliResult, String) {
    let base = [
        "bascule",
        "--context=unix:/nowhere/admin.sock",
        "support-dump",
    ];
    let cli = Cli::try_parse_from(base.iter().copied().chain(words.iter().copied())).unwrap();
    let super::super::args::Command::SupportDump(mut args) = cli.command else {
        panic!("another command")
    };
    args.file = args.file.map(|file| dir.join(file));
    args.config = args.config.map(|file| dir.join(file));
    let out = Shared::default();
    let mut output = Output::of(
        cli.global.output,
        Box::new(out.clone()),
        Box::new(std::io::sink()),
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let result = runtime.block_on(run(&args, &cli.global, &mut output));
    (result, out.text())
}

/// Every file of an archive, by name.
fn unpacked(path: &Path) -> BTreeMap<String, String> {
    let unzipped = flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap());
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(unzipped).entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        files.insert(name, text);
    }
    files
}

/// A configuration with every kind of secret around it; the variable PATH stands for one of the environment, as it is
/// set in every test.
fn plant(dir: &Path) -> String {
    let signed = bascule_testkit::certificate::signed(&["meet.test"]).unwrap();
    std::fs::write(dir.join("tls.crt"), &signed.cert_pem).unwrap();
    std::fs::write(dir.join("tls.key"), &signed.key_pem).unwrap();
    std::fs::write(dir.join("tokens"), format!("ops:admin:{TOKEN}\n")).unwrap();
    let text = format!(
        "# old: http://ops:{PASSWORD}@127.0.0.1:1\n\
         listen: {{ web: {{ address: \"127.0.0.1:0\", tls: {{ certificates: [{{ cert_file: tls.crt, key_file: tls.key }}] }} }} }}\n\
         admin: {{ listen: \"127.0.0.1:0\", auth: {{ tokens_file: tokens }} }}\n\
         services:\n  meet:\n    match: [{{ hosts: [meet.test] }}]\n    backends:\n      \
         aws: {{ weight: 1, region: \"${{PATH}}\", endpoints: [\"http://127.0.0.1:9\"] }}\n"
    );
    std::fs::write(dir.join("meet.yaml"), text).unwrap();
    signed.key_pem
}

fn holds_no_secret(files: &BTreeMap<String, String>, key_pem: &str) {
    let path = std::env::var("PATH").unwrap();
    let key_lines = key_pem.lines().filter(|line| !line.starts_with("-----"));
    for secret in key_lines.chain([TOKEN, PASSWORD, path.as_str()]) {
        for (name, text) in files {
            assert!(!text.contains(secret), "{name} holds {secret}\n{text}");
        }
    }
}

#[test]
fn no_byte_of_a_secret_is_in_a_dump_of_a_good_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let key = plant(dir.path());
    let (result, told) = run_on(dir.path(), &["--config", "meet.yaml", "--file", "d.tar.gz"]);
    assert_eq!(result, Ok(Exit::Ok));
    let files = unpacked(&dir.path().join("d.tar.gz"));
    holds_no_secret(&files, &key);
    let effective = &files["bascule-dump/config/effective.yaml"];
    assert!(effective.contains("region: \"${PATH}\""), "{effective}");
    assert!(
        files.contains_key("bascule-dump/check.txt"),
        "{:?}",
        files.keys()
    );
    for name in files.keys() {
        let bare = name.trim_start_matches("bascule-dump/");
        let manifest = &files["bascule-dump/MANIFEST.txt"];
        assert!(
            bare == "MANIFEST.txt" || manifest.contains(bare),
            "{bare}\n{manifest}"
        );
        assert!(told.contains(bare), "{bare}\n{told}");
    }
    assert!(told.contains("everything of a running process"), "{told}");
}

#[test]
fn no_byte_of_a_secret_is_in_a_dump_of_a_configuration_that_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let key = plant(dir.path());
    let file = dir.path().join("meet.yaml");
    let wrong = std::fs::read_to_string(&file).unwrap()
        + &format!("wieght: 1\nx-note: https://u:{PASSWORD}@127.0.0.1/\n");
    std::fs::write(&file, wrong).unwrap();
    let (result, _) = run_on(dir.path(), &["--config", "meet.yaml", "--file", "d.tar.gz"]);
    assert_eq!(result, Ok(Exit::Ok));
    let files = unpacked(&dir.path().join("d.tar.gz"));
    assert!(
        files["bascule-dump/config/errors.txt"].contains("E0104"),
        "{files:?}"
    );
    let path = std::env::var("PATH").unwrap();
    for (name, text) in &files {
        for secret in [PASSWORD, path.as_str(), key.lines().nth(1).unwrap()] {
            assert!(!text.contains(secret), "{name} holds {secret}\n{text}");
        }
    }
}

#[test]
fn hosts_are_numbers_when_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    plant(dir.path());
    let words = [
        "--config",
        "meet.yaml",
        "--file",
        "d.tar.gz",
        "--redact-hosts",
    ];
    assert_eq!(run_on(dir.path(), &words).0, Ok(Exit::Ok));
    let files = unpacked(&dir.path().join("d.tar.gz"));
    for (name, text) in &files {
        assert!(!text.contains("meet.test"), "{name}\n{text}");
    }
}

#[test]
fn without_process_and_file_it_is_partial_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let (result, told) = run_on(dir.path(), &["--file", "d.tar.gz", "-o", "json"]);
    assert_eq!(result, Ok(Exit::Ok));
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(
        told["data"]["missing"].as_array().unwrap().len(),
        2,
        "{told}"
    );
    let names: Vec<String> = unpacked(&dir.path().join("d.tar.gz")).into_keys().collect();
    assert!(
        names.contains(&"bascule-dump/machine/kernel.txt".to_owned()),
        "{names:?}"
    );
}

#[test]
fn what_is_there_is_not_written_over_and_a_wrong_place_is_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("d.tar.gz"), "mine").unwrap();
    std::fs::create_dir(dir.path().join("folder")).unwrap();
    for (file, says) in [
        ("d.tar.gz", "--force"),
        ("folder", "is a directory"),
        ("nowhere/d.tar.gz", "no directory"),
    ] {
        let error = run_on(dir.path(), &["--file", file]).0.unwrap_err();
        assert_eq!(error.exit, Exit::Usage);
        assert!(error.to_string().contains(says), "{error}");
    }
    assert_eq!(std::fs::read(dir.path().join("d.tar.gz")).unwrap(), b"mine");
    let forced = run_on(dir.path(), &["--file", "d.tar.gz", "--force"]).0;
    assert_eq!(forced, Ok(Exit::Ok));
}
