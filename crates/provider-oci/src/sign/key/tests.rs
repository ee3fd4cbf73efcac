//! What is a key and what is none, with keys made by OpenSSL.

use std::process::Command;

use super::*;

/// What OpenSSL writes for these words.
fn openssl(args: &[&str]) -> Vec<u8> {
    let output = Command::new("openssl").args(args).output().unwrap();
    assert!(output.status.success(), "openssl {args:?}");
    output.stdout
}

#[test]
fn keys_of_both_shapes_are_read_and_their_fingerprint_is_what_openssl_says() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key.pem").display().to_string();
    openssl(&["genrsa", "-out", &file, "2048"]);
    let pkcs8 = std::fs::read(&file).unwrap();
    let pkcs1 = openssl(&["rsa", "-in", &file, "-traditional"]);
    assert!(pkcs1.starts_with(b"-----BEGIN RSA PRIVATE KEY"));
    let public = openssl(&["rsa", "-in", &file, "-pubout", "-outform", "DER"]);
    let der = dir.path().join("public.der").display().to_string();
    std::fs::write(&der, public).unwrap();
    let md5 = String::from_utf8(openssl(&["md5", "-c", &der])).unwrap();
    let expected = md5.split_whitespace().last().unwrap();
    let with_label = [pkcs8.as_slice(), b"OCI_API_KEY\n"].concat();
    for pem in [pkcs8, pkcs1, with_label] {
        let key = Key::from_pem(&pem).unwrap();
        assert_eq!(key.fingerprint().unwrap(), expected);
    }
}

#[test]
fn what_is_no_key_is_told_by_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key.pem").display().to_string();
    openssl(&["genrsa", "-out", &file, "2048"]);
    let public = openssl(&["rsa", "-in", &file, "-pubout"]);
    let old = openssl(&[
        "rsa",
        "-in",
        &file,
        "-traditional",
        "-aes128",
        "-passout",
        "pass:secret",
    ]);
    let new = openssl(&["pkcs8", "-topk8", "-in", &file, "-passout", "pass:secret"]);
    let ec = openssl(&["ecparam", "-genkey", "-name", "prime256v1", "-noout"]);
    let short = openssl(&["genrsa", "1024"]);
    let kind = |pem: &[u8]| Key::from_pem(pem).unwrap_err();
    assert_eq!(kind(&public), KeyError::Public);
    assert_eq!(kind(&old), KeyError::Encrypted);
    assert_eq!(kind(&new), KeyError::Encrypted);
    assert_eq!(kind(&ec), KeyError::Kind);
    assert_eq!(kind(&short), KeyError::Kind);
    assert_eq!(kind(b"ocid1.user.oc1..x"), KeyError::None);
}

#[test]
fn nothing_of_a_key_is_shown() {
    let key = Key::generate().unwrap();
    assert_eq!(format!("{key:?}"), "Key(…)");
    let signer = super::super::Signer::new("ST$eyJhbGciOi".to_owned(), key);
    assert!(!format!("{signer:?}").contains("eyJ"));
}
