//! The end of the process: asked for, it waits for what runs; not asked for, it never comes.

use bascule_testkit::{Origin, wait};
use rustix::process::Signal;

use crate::support::{Load, clouds, start, two_clouds};

#[test]
fn a_stop_waits_for_running_requests_and_exits_with_zero() {
    let (aws, oci) = (Origin::start("aws").unwrap(), Origin::start("oci").unwrap());
    let mut daemon = start(&two_clouds(&aws.url(), &oci.url(), ""));
    let url = format!("http://{}/bytes/200000000", daemon.listener("web").unwrap());
    let download = std::process::Command::new("curl")
        .args([
            "-sS",
            "--limit-rate",
            "100M",
            "-o",
            "/dev/null",
            "-w",
            "%{size_download}",
            &url,
        ])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    wait::until("the request at an origin", || {
        (aws.requests() + oci.requests() > 0).then_some(())
    })
    .unwrap();
    daemon.signal(Signal::TERM).unwrap();
    let output = download.wait_with_output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "200000000",
        "{}",
        daemon.log()
    );
    assert_eq!(daemon.ended().unwrap().code(), Some(0));
}

#[test]
fn a_stop_with_a_delay_first_says_not_ready_and_goes_on_serving() {
    let (aws, oci) = clouds();
    let config = two_clouds(&aws.url(), &oci.url(), "");
    let mut daemon = start(&format!(
        "shutdown: {{ delay: 2s, deadline: 10s }}\n{config}"
    ));
    let web = daemon.listener("web").unwrap();
    let load = Load::start(&format!("http://{web}/"), "--h1", 400, 400);
    daemon.signal(Signal::TERM).unwrap();
    wait::until("readyz to say 503", || {
        let answer = daemon.api(http::Method::GET, "/readyz", "").ok()?;
        (answer.status() == 503).then_some(())
    })
    .unwrap();
    load.result().assert_nothing_failed();
    assert_eq!(daemon.ended().unwrap().code(), Some(0));
}
