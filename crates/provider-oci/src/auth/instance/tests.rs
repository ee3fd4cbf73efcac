//! When a token is renewed, and what becomes of one that cannot be.

use bascule_net::tls::client::Roots;
use bascule_telemetry::clock;
use bascule_testkit::Oci;
use bascule_testkit::oci::Fault;

use super::*;
use crate::surroundings::System;

struct World {
    oci: Oci,
    wire: Wire,
    start: Timestamp,
}

impl World {
    fn new() -> Self {
        Self {
            oci: Oci::start().unwrap(),
            wire: Wire::new(&Roots::Web, Duration::from_secs(30)).unwrap(),
            start: clock::wall(),
        }
    }

    /// Asks so many minutes later, by everybody's clock.
    async fn grant(&self, before: Option<Granted>, minutes: u64) -> Result<Granted, Error> {
        self.oci.set_clock(i64::try_from(minutes * 60).unwrap());
        let metadata = Metadata::new(&System, Some(&self.oci.metadata_url()));
        let now = self.start + Duration::from_mins(minutes);
        grant(&self.wire, &metadata, Some(&self.oci.url()), before, now).await
    }

    fn tokens(&self) -> usize {
        let calls = self.oci.calls();
        calls
            .iter()
            .filter(|call| call.target == "/v1/x509")
            .count()
    }
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends() {
    // It lasts twenty minutes.
    let world = World::new();
    let granted = world.grant(None, 0).await.unwrap();
    assert_eq!(
        granted.identity.region.as_ref().unwrap().name,
        "eu-frankfurt-1"
    );
    let granted = world.grant(Some(granted), 5).await.unwrap();
    assert_eq!(world.tokens(), 1);
    let ends = granted.ends;
    let granted = world.grant(Some(granted), 12).await.unwrap();
    assert_eq!(world.tokens(), 2);
    assert!(granted.ends > ends);
}

#[tokio::test]
async fn a_token_that_cannot_be_renewed_serves_until_its_end() {
    let world = World::new();
    let granted = world.grant(None, 0).await.unwrap();
    let ends = granted.ends;
    world.oci.fail(
        "/v1/x509",
        Fault::refused(500, "InternalServerError"),
        0,
        usize::MAX,
    );
    let granted = world.grant(Some(granted), 15).await.unwrap();
    assert_eq!(granted.ends, ends);
    let error = world.grant(Some(granted), 21).await.unwrap_err();
    assert_eq!(error.kind, Kind::Transient);
}

#[tokio::test]
async fn an_instance_that_is_given_no_token_is_denied_and_shown_no_secret() {
    let world = World::new();
    world
        .oci
        .fail("/v1/x509", Fault::refused(401, "NotAuthenticated"), 0, 1);
    let error = world.grant(None, 0).await.unwrap_err();
    assert_eq!(error.kind, Kind::Denied);
    assert!(
        error.to_string().contains("belongs to a dynamic group"),
        "{error}"
    );
    let granted = world.grant(None, 0).await.unwrap();
    assert!(
        !format!("{granted:?}").contains("eyJhbGci"),
        "a token is shown"
    );
}

#[test]
fn a_service_that_has_too_much_to_do_refuses_nobody_for_good() {
    let throttled = Kind::Throttled { retry_after: None };
    for (status, kind) in [
        (429, Some(throttled)),
        (500, Some(Kind::Transient)),
        (503, Some(Kind::Transient)),
        (401, None),
        (404, None),
    ] {
        assert_eq!(kind_of(StatusCode::from_u16(status).unwrap()), kind);
    }
}
