//! Packs entries: a tar inside gzip, each file open to its owner alone, as is the archive. It never writes over anything
//! unless told to, and never leaves half an archive.

use std::io::{self, Write as _};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::Entry;

/// The folder that everything is in.
const FOLDER: &str = "bascule-dump";

/// What to do with a file that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    /// Leave it, and fail.
    Keep,
    /// Put the new one in its place.
    Replace,
}

/// Writes the archive, and gives its length.
///
/// # Errors
/// Of the file system; `AlreadyExists` where a file is there that is to be kept.
pub(crate) fn write(
    path: &Path,
    entries: &[Entry],
    made_at_seconds: u64,
    existing: Existing,
) -> io::Result<u64> {
    let packed = pack(entries, made_at_seconds)?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Made with mode 0600 under another name, then put in place whole.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&packed)?;
    file.as_file().sync_all()?;
    let placed = match existing {
        Existing::Keep => file.persist_noclobber(path),
        Existing::Replace => file.persist(path),
    };
    placed.map_err(|error| error.error)?;
    Ok(u64::try_from(packed.len()).unwrap_or(u64::MAX))
}

/// The archive's bytes.
pub(crate) fn pack(entries: &[Entry], made_at_seconds: u64) -> io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for entry in entries {
        let mut header = tar::Header::new_ustar();
        header.set_size(u64::try_from(entry.text.len()).unwrap_or(u64::MAX));
        header.set_mode(0o600);
        header.set_mtime(made_at_seconds);
        let name = format!("{FOLDER}/{}", entry.name);
        tar.append_data(&mut header, name, entry.text.as_bytes())?;
    }
    tar.into_inner()?.finish()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn entries() -> Vec<Entry> {
        vec![Entry {
            name: "a/b.txt",
            why: "a test",
            text: "hello".to_owned(),
        }]
    }

    #[test]
    fn an_archive_is_its_owners_and_holds_what_was_put_in() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.tar.gz");
        let length = write(&path, &entries(), 1, Existing::Keep).unwrap();
        let meta = std::fs::metadata(&path).unwrap();
        assert_eq!(
            (meta.len(), meta.permissions().mode() & 0o777),
            (length, 0o600)
        );
        let unzipped = flate2::read::GzDecoder::new(std::fs::File::open(&path).unwrap());
        let mut archive = tar::Archive::new(unzipped);
        let mut entry = archive.entries().unwrap().next().unwrap().unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        assert_eq!(entry.path().unwrap().to_str(), Some("bascule-dump/a/b.txt"));
        assert_eq!(text, "hello");
    }

    #[test]
    fn a_file_that_is_there_is_kept_unless_told_otherwise() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.tar.gz");
        std::fs::write(&path, "mine").unwrap();
        let error = write(&path, &entries(), 1, Existing::Keep).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"mine");
        assert_eq!(
            std::fs::read_dir(dir.path()).unwrap().count(),
            1,
            "nothing is left behind"
        );
        write(&path, &entries(), 1, Existing::Replace).unwrap();
        assert_ne!(std::fs::read(&path).unwrap(), b"mine");
    }
}
