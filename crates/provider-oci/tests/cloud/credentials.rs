//! Keys and tokens, and what is said when they are not accepted.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bascule_provider::{Discover, Kind};
use bascule_provider_oci::{Auth, Client, Layer, SetSource, Settings, Surroundings, System, Way};
use bascule_testkit::oci::{Balancer, Fault};

use crate::world::{BALANCER, World, endpoints};

fn source(world: &World, way: Option<Way>) -> SetSource {
    world
        .oci
        .add_backend_set(Balancer::Load, BALANCER, "web", &[("10.0.0.1:80", 1)]);
    let client = way.map_or_else(|| world.client(), |way| world.client_by(way));
    SetSource::new(client, Layer::Seven, BALANCER, "web")
}

#[tokio::test]
async fn a_key_that_is_taken_away_is_denied_and_a_new_one_is_used_at_once() {
    let mut world = World::new();
    let source = source(&world, None);
    source.discover().await.unwrap();
    world.oci.rotate_key().unwrap();
    let error = source.discover().await.unwrap_err();
    assert_eq!(error.kind, Kind::Denied);
    assert!(
        error
            .to_string()
            .contains("see that the key with this fingerprint"),
        "{error}"
    );
    world.config();
    source.discover().await.unwrap();
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_named() {
    let world = World::new();
    let source = source(&world, None);
    world.oci.set_clock(1000);
    let error = source.discover().await.unwrap_err();
    assert_eq!(error.kind, Kind::Denied);
    assert!(
        error
            .to_string()
            .contains("s behind OCI's, and 300 s are allowed"),
        "{error}"
    );
    world.oci.set_clock(-1000);
    let error = source.discover().await.unwrap_err();
    assert!(error.to_string().contains("s ahead of OCI's"), "{error}");
}

#[tokio::test]
async fn an_instance_gets_a_token_and_asks_for_another_when_it_is_not_accepted() {
    let world = World::new();
    let way = Way::InstancePrincipal {
        metadata: Some(world.oci.metadata_url()),
        auth: Some(world.oci.url()),
    };
    let source = source(&world, Some(way));
    source.discover().await.unwrap();
    source.discover().await.unwrap();
    let tokens = || {
        let calls = world.oci.calls();
        calls
            .iter()
            .filter(|call| call.target == "/v1/x509")
            .count()
    };
    assert_eq!(tokens(), 1);
    world.oci.fail(
        "GET /20170115",
        Fault::refused(401, "NotAuthenticated"),
        0,
        1,
    );
    assert_eq!(source.discover().await.unwrap_err().kind, Kind::Denied);
    source.discover().await.unwrap();
    assert_eq!(tokens(), 2);
    let error = {
        world.oci.fail(
            "GET /20170115",
            Fault::refused(404, "NotAuthorizedOrNotFound"),
            0,
            1,
        );
        source.discover().await.unwrap_err().to_string()
    };
    assert!(
        error.contains("Allow dynamic-group GROUP to read load-balancers"),
        "{error}"
    );
    assert!(
        !format!("{source:?}").contains("eyJhbGci"),
        "a token is shown"
    );
}

#[tokio::test]
async fn what_is_no_instance_says_so() {
    let world = World::new();
    world
        .oci
        .fail("/opc/v2", Fault::refused(404, "NotFound"), 0, usize::MAX);
    let way = Way::InstancePrincipal {
        metadata: Some(world.oci.metadata_url()),
        auth: None,
    };
    let error = source(&world, Some(way))
        .discover()
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("instance principals exist on instances of OCI only"),
        "{error}"
    );
}

/// The process's files, and variables of a test.
#[derive(Debug)]
struct Given(BTreeMap<&'static str, String>);

impl Surroundings for Given {
    fn env(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        System.read(path)
    }

    fn mode(&self, path: &Path) -> Option<u32> {
        System.mode(path)
    }
}

fn resource(world: &World, env: BTreeMap<&'static str, String>) -> SetSource {
    world
        .oci
        .add_backend_set(Balancer::Load, BALANCER, "web", &[("10.0.0.1:80", 1)]);
    let settings = Settings {
        endpoints: endpoints(&world.oci.url()),
        pace: None,
        ..Settings::default()
    };
    let auth = Auth::new(Way::ResourcePrincipal, Arc::new(Given(env)));
    let client = Client::new(settings, auth).unwrap();
    SetSource::new(Arc::new(client), Layer::Seven, BALANCER, "web")
}

#[tokio::test]
async fn a_resource_has_its_token_in_files_that_are_read_again_when_they_change() {
    let world = World::new();
    let path = |name: &str| world.directory.path().join(name);
    let write = |seconds| {
        let (token, key) = world.oci.resource_token(seconds).unwrap();
        std::fs::write(path("rpst"), token + "\n").unwrap();
        std::fs::write(path("key.pem"), key).unwrap();
    };
    write(-1);
    let source = resource(
        &world,
        BTreeMap::from([
            ("OCI_RESOURCE_PRINCIPAL_VERSION", "2.2".to_owned()),
            (
                "OCI_RESOURCE_PRINCIPAL_RPST",
                path("rpst").display().to_string(),
            ),
            (
                "OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM",
                path("key.pem").display().to_string(),
            ),
            ("OCI_RESOURCE_PRINCIPAL_REGION", "eu-frankfurt-1".to_owned()),
        ]),
    );
    let error = source.discover().await.unwrap_err();
    assert_eq!(error.kind, Kind::Denied);
    assert!(error.to_string().contains("the token has ended"), "{error}");
    write(600);
    source.discover().await.unwrap();
}

#[tokio::test]
async fn a_resource_may_have_its_token_in_variables_too_and_says_what_is_missing() {
    let world = World::new();
    let (token, key) = world.oci.resource_token(600).unwrap();
    let mut env = BTreeMap::from([
        ("OCI_RESOURCE_PRINCIPAL_VERSION", "2.2".to_owned()),
        ("OCI_RESOURCE_PRINCIPAL_RPST", token),
        ("OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM", key),
    ]);
    resource(&world, env.clone()).discover().await.unwrap();
    env.remove("OCI_RESOURCE_PRINCIPAL_RPST");
    let error = resource(&world, env.clone()).discover().await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("OCI_RESOURCE_PRINCIPAL_RPST: invalid: it is not set"),
        "{error}"
    );
    env.remove("OCI_RESOURCE_PRINCIPAL_VERSION");
    let error = resource(&world, env).discover().await.unwrap_err();
    assert!(
        error.to_string().contains("it is not set, not 2.2"),
        "{error}"
    );
}

#[tokio::test]
async fn without_a_region_it_is_said_where_to_write_one() {
    let world = World::new();
    let (token, key) = world.oci.resource_token(600).unwrap();
    let env = BTreeMap::from([
        ("OCI_RESOURCE_PRINCIPAL_VERSION", "2.2".to_owned()),
        ("OCI_RESOURCE_PRINCIPAL_RPST", token),
        ("OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM", key),
    ]);
    let auth = Auth::new(Way::ResourcePrincipal, Arc::new(Given(env)));
    let client = Arc::new(Client::new(Settings::default(), auth).unwrap());
    let source = SetSource::new(client, Layer::Seven, BALANCER, "web");
    let error = source.discover().await.unwrap_err();
    assert_eq!(error.kind, Kind::Invalid);
    assert!(error.to_string().contains("no region is known"), "{error}");
}

#[tokio::test]
async fn who_asks_is_said_once_the_credentials_are_taken_or_why_they_are_not() {
    let mut world = World::new();
    let client = world.client();
    let identity = client.identity().await.unwrap();
    let name = &identity.name;
    assert!(
        name.starts_with("ocid1.user.oc1..user by the key "),
        "{name}"
    );
    assert!(name.ends_with(", in eu-frankfurt-1"), "{name}");
    assert_eq!(identity.skew, None);
    // Who may not ask this is known all the same.
    for (status, code) in [(404, "NotAuthorizedOrNotFound"), (403, "NotAuthorized")] {
        let refused = Fault::refused(status, code);
        world.oci.fail("GET /20160918/regions", refused, 0, 1);
        client.identity().await.unwrap();
    }
    for (fault, kind) in [
        (Fault::refused(404, "SomethingElse"), Kind::Invalid),
        (Fault::refused(500, "InternalServerError"), Kind::Transient),
        (Fault::Html, Kind::Invalid),
    ] {
        world.oci.fail("GET /20160918/regions", fault, 0, 1);
        assert_eq!(client.identity().await.unwrap_err().kind, kind);
    }
    let instance = world.client_by(Way::InstancePrincipal {
        metadata: Some(world.oci.metadata_url()),
        auth: Some(world.oci.url()),
    });
    let identity = instance.identity().await.unwrap();
    assert_eq!(
        identity.name,
        "this instance of ocid1.tenancy.oc1..tenancy, in eu-frankfurt-1"
    );
    world.oci.rotate_key().unwrap();
    let error = client.identity().await.unwrap_err();
    assert_eq!(error.kind, Kind::Denied);
    assert!(error.to_string().contains("see that the key"), "{error}");
    std::fs::remove_file(world.directory.path().join("oci_api_key.pem")).unwrap();
    let error = client.identity().await.unwrap_err();
    assert!(
        error.to_string().contains("oci_api_key.pem cannot be read"),
        "{error}"
    );
}

#[tokio::test]
async fn a_clock_that_is_off_is_told_while_the_credentials_are_still_taken() {
    let world = World::new();
    let client = world.client();
    for (ahead, told) in [(200, "behind OCI's"), (-200, "ahead of OCI's")] {
        world.oci.set_clock(ahead);
        let skew = client.identity().await.unwrap().skew.unwrap();
        let skew = skew.from("OCI").to_string();
        assert!(skew.ends_with(told), "{skew}");
    }
    world.oci.set_clock(400);
    let error = client.identity().await.unwrap_err();
    assert_eq!(error.kind, Kind::Denied);
    assert!(error.to_string().contains("s behind OCI's"), "{error}");
}
