//! What is told of how a request was decided: in lines of the access log, and to clients of listeners that say so.

use bascule_model::ObservedState;
use bascule_traffic::spec::KeySource;
use http::Response;
use hyper::body::Incoming;

use crate::client::{ask, get, http1, text};
use crate::origin::{Speaks, full, named, nobody, origin};
use crate::world::{World, backend, plan};

const NAME: &str = "x-bascule-decision";

async fn asked(world: &World) -> Response<Incoming> {
    let mut client = http1(world.address).await;
    client.send_request(get("/room/42")).await.unwrap()
}

fn said(response: &Response<Incoming>) -> Vec<String> {
    let values = response.headers().get_all(NAME).iter();
    values.map(|v| v.to_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_sampled_line_says_how_its_request_was_decided_and_others_say_nothing() {
    let dead = nobody().await;
    let live = named("oci").await;
    let world = plan(vec![backend("aws", 1, dead), backend("oci", 1, live)]).start();
    world.access.sample().set_decisions(0.5);
    // Of two requests one is told; of two turns one is that of what refuses.
    for _ in 0..4 {
        assert_eq!(ask(world.address, "/").await, (200, "oci".into()));
    }
    let lines = world.logged(4).await;
    let told: Vec<_> = lines.iter().filter(|l| !l["decision"].is_null()).collect();
    assert_eq!(told.len(), 2, "{lines:?}");
    for line in told {
        let decision = &line["decision"];
        assert_eq!(decision["listener"], "web");
        assert_eq!(
            decision["matched"],
            "no match of its own: it takes what is left"
        );
        let shares: Vec<_> = decision["candidates"].as_array().unwrap().iter().collect();
        assert_eq!(
            (&shares[0]["backend"], &shares[1]["backend"]),
            (&"aws".into(), &"oci".into())
        );
        assert_eq!(shares[1]["share"], 50.0);
        assert_eq!(shares[1]["endpoints"][0]["gate"], "open");
        assert_eq!(shares[1]["endpoints"][0]["name"], live.to_string());
        let tries = decision["tries"].as_array().unwrap();
        assert_eq!(tries.len() as u64, line["attempts"].as_u64().unwrap());
        let last = tries.last().unwrap();
        assert_eq!(last["ended"], "200");
        assert_eq!((&last["why"], &last["by"]), (&line["pick"], &"only".into()));
        assert_eq!(last["endpoint"], line["endpoint"]);
    }
}

#[tokio::test]
async fn a_line_says_what_became_of_every_try_and_what_a_suspect_costs() {
    let dead = nobody().await;
    let world = plan(vec![
        backend("aws", 1, dead),
        backend("oci", 1, named("oci").await),
    ])
    .start();
    world.access.sample().set_decisions(1.0);
    for _ in 0..6 {
        ask(world.address, "/").await;
    }
    let lines = world.logged(6).await;
    let retried: Vec<_> = lines.iter().filter(|l| l["attempts"] == 2).collect();
    let tries = &retried.first().unwrap()["decision"]["tries"];
    assert_eq!(tries[0]["ended"], "connect");
    assert_eq!(tries[0]["endpoint"], dead.to_string());
    assert_eq!(
        (&tries[0]["why"], &tries[1]["why"]),
        (&"weight".into(), &"retry".into())
    );
    let spilled = lines.iter().find(|l| l["pick"] == "spill").unwrap();
    let decision = &spilled["decision"];
    assert_eq!(decision["candidates"][0]["against"], "suspect");
    let spill = &decision["tries"][0];
    assert_eq!(
        (&spill["from"], &spill["cause"]),
        (&"aws".into(), &"suspect".into())
    );
}

#[tokio::test]
async fn a_line_says_where_a_key_belongs_and_why_one_is_ignored() {
    let mut plan = plan(vec![
        backend("aws", 1, named("aws").await),
        backend("oci", 1, named("oci").await),
    ]);
    plan.by = Some(KeySource::Query("room".to_owned()));
    let world = plan.start();
    world.access.sample().set_decisions(1.0);
    let (_, home) = ask(world.address, "/?room=1").await;
    ask(world.address, "/?room=1&room=2").await;
    let lines = world.logged(2).await;
    let affinity = &lines[0]["decision"]["affinity"];
    assert_eq!(
        (&affinity["why"], &affinity["backend"]),
        (&"map".into(), &home.into())
    );
    assert!(affinity["bucket"].as_u64().unwrap() < 10_000);
    let affinity = &lines[1]["decision"]["affinity"];
    assert_eq!(affinity["ignored"], "ambiguous");
    assert!(affinity["why"].is_null());
}

#[tokio::test]
async fn nobody_elses_decision_passes_for_ours() {
    let origin = origin(Speaks::Http1, |request| async move {
        let heard = request.headers().contains_key(NAME);
        let mut response = Response::new(full(format!("{heard}")));
        let theirs = "service=\"theirs\"".parse().unwrap();
        response.headers_mut().insert(NAME, theirs);
        response
    })
    .await;
    for is_on in [false, true] {
        let mut plan = plan(vec![backend("aws", 1, origin)]);
        if is_on {
            plan.edit = |listener| listener.decision_header = true;
        }
        let world = plan.start();
        let mut client = http1(world.address).await;
        let mut request = get("/");
        let theirs = "service=\"mine\"".parse().unwrap();
        request.headers_mut().insert(NAME, theirs);
        let response = client.send_request(request).await.unwrap();
        let said = said(&response);
        assert_eq!(
            text(response).await,
            "false",
            "what a client says of it is not passed on"
        );
        let expected = format!(
            "service=\"meet\", tries=(\"{origin}\";backend=\"aws\";why=weight;by=only;ended=200), \
             candidates=(\"aws\";share=100.00), matched=\"no match of its own: it takes what is left\""
        );
        assert_eq!(said, if is_on { vec![expected] } else { vec![] });
    }
}

#[tokio::test]
async fn our_own_answers_say_why_where_the_listener_says_it() {
    let mut plan = plan(vec![backend("aws", 1, nobody().await)]);
    plan.edit = |listener| listener.decision_header = true;
    let mut world = plan.start();
    let failed = said(&asked(&world).await).remove(0);
    assert!(
        failed.starts_with("refused=connect, service=\"meet\", tries=("),
        "{failed}"
    );
    assert!(failed.contains(";ended=connect "), "{failed}");
    assert!(
        failed.contains("why=retry;by=again;ended=connect)"),
        "{failed}"
    );
    let down = world.seen(ObservedState::Down);
    world.change(down);
    world.confirmed().await;
    let refused = said(&asked(&world).await).remove(0);
    assert!(
        refused.starts_with("refused=no_backend_up, service=\"meet\", tries=()"),
        "{refused}"
    );
    let lines = world.logged(2).await;
    let reasons: Vec<_> = lines.iter().map(|line| &line["reason"]).collect();
    assert_eq!(reasons, ["connect", "no_backend_up"]);
}
