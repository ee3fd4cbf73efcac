//! How a token is got, and what is said where none is given.

use bascule_net::tls::client::Roots;
use bascule_telemetry::clock;
use bascule_testkit::Oci;
use bascule_testkit::oci::Fault;

use super::*;
use crate::surroundings::System;

struct World {
    oci: Oci,
    wire: Wire,
}

impl World {
    fn new() -> Self {
        Self {
            oci: Oci::start().unwrap(),
            wire: Wire::new(&Roots::Web, Duration::from_secs(30)).unwrap(),
        }
    }

    async fn ask(&self) -> Result<Granted<Identity>, Error> {
        let metadata = Metadata::new(&System, Some(&self.oci.metadata_url()));
        ask(&self.wire, &metadata, Some(&self.oci.url()), clock::wall()).await
    }
}

#[tokio::test]
async fn a_token_says_where_it_is_at_home_and_when_it_ends() {
    let before = clock::wall();
    let granted = World::new().ask().await.unwrap();
    let region = granted.what.region.as_ref().unwrap();
    assert_eq!(region.name, "eu-frankfurt-1");
    assert!(granted.ends > before + Duration::from_mins(19));
    assert_eq!(granted.ends.since(granted.due), RENEW_BEFORE);
}

#[tokio::test]
async fn an_instance_that_is_given_no_token_is_denied_and_shown_no_secret() {
    let world = World::new();
    world
        .oci
        .fail("/v1/x509", Fault::refused(401, "NotAuthenticated"), 0, 1);
    let error = world.ask().await.unwrap_err();
    assert_eq!(error.kind, Kind::Denied);
    assert!(
        error.to_string().contains("belongs to a dynamic group"),
        "{error}"
    );
    world.oci.set_clock(1000);
    let error = world.ask().await.unwrap_err().to_string();
    assert!(error.contains("s behind OCI's: set it right"), "{error}");
    world.oci.set_clock(0);
    let granted = world.ask().await.unwrap();
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
