//! A gigabyte each way, with the memory of the process watched.

use std::process::{Command, Stdio};

use bascule_testkit::{Daemon, Origin};

use crate::support::{start, two_clouds};

const GIB: u64 = 1 << 30;
/// What a stream of any length may add to the process: buffers of a few hundred KiB for each of the two sides, and what
/// the allocator rounds up.
const GROWTH_KIB: u64 = 16 * 1024;

/// Runs a shell line to its end while the daemon's memory is watched.
fn watched(daemon: &Daemon, line: &str) -> (String, u64) {
    let before = daemon.resident_kib().unwrap();
    let mut child = Command::new("sh")
        .args(["-c", line])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut most = before;
    bascule_testkit::wait::until_long("the transfer", || {
        most = most.max(daemon.resident_kib().unwrap());
        child.try_wait().unwrap()
    })
    .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{line}: {}", output.status);
    (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        most - before,
    )
}

#[test]
fn a_gigabyte_each_way_needs_no_more_memory_than_a_few_buffers() {
    let (aws, oci) = (Origin::start("aws").unwrap(), Origin::start("oci").unwrap());
    let daemon = start(&two_clouds(&aws.url(), &oci.url(), ""));
    let base = format!("http://{}", daemon.listener("web").unwrap());

    for protocol in ["--http1.1", "--http2-prior-knowledge"] {
        let down =
            format!("curl -sS {protocol} -o /dev/null -w '%{{size_download}}' {base}/bytes/{GIB}");
        let (size, growth) = watched(&daemon, &down);
        assert_eq!(size, GIB.to_string(), "{protocol}");
        assert!(
            growth < GROWTH_KIB,
            "{protocol}: the download grew the process by {growth} KiB"
        );

        let up = format!("head -c {GIB} /dev/zero | curl -sS {protocol} -X POST -T - {base}/count");
        let (counted, growth) = watched(&daemon, &up);
        assert_eq!(counted, GIB.to_string(), "{protocol}");
        assert!(
            growth < GROWTH_KIB,
            "{protocol}: the upload grew the process by {growth} KiB"
        );
    }
}
