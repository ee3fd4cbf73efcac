//! Every version on one side with every version on the other.

use bascule_model::Scheme;
use bascule_net::tls::Protocols;
use bascule_traffic::spec::HostPolicy;
use http::{Request, Response, Version};

use crate::client::{self, ask, get, get2, text};
use crate::origin::{Speaks, full, origin, tls_origin};
use crate::world::{Backend, authority, backend, plan};

/// Says how it was asked.
async fn mirror(request: Request<hyper::body::Incoming>) -> Response<crate::origin::Body> {
    let host = request
        .headers()
        .get("host")
        .map(|h| h.to_str().unwrap().to_owned());
    let authority = request.uri().authority().map(ToString::to_string);
    let host = host.or(authority).unwrap_or_default();
    let path = request.uri().path_and_query().unwrap();
    let text = format!("{:?} {host} {path}", request.version());
    Response::new(full(text))
}

#[tokio::test]
async fn http1_to_http1() {
    let world = plan(vec![backend("aws", 1, origin(Speaks::Http1, mirror).await)]).start();
    let heard = ask(world.address, "/a?b=c").await;
    assert_eq!(heard, (200, "HTTP/1.1 meet.example /a?b=c".into()));
}

#[tokio::test]
async fn http2_by_prior_knowledge_to_http1() {
    let world = plan(vec![backend("aws", 1, origin(Speaks::Http1, mirror).await)]).start();
    let mut sender = client::http2(world.address).await;
    for _ in 0..3 {
        let response = sender
            .send_request(get2("http://meet.example:81/a?b=c"))
            .await
            .unwrap();
        assert_eq!(response.version(), Version::HTTP_2);
        assert_eq!(text(response).await, "HTTP/1.1 meet.example:81 /a?b=c");
    }
}

#[tokio::test]
async fn http1_to_h2c() {
    let address = origin(Speaks::H2c, mirror).await;
    let h2c = Backend {
        scheme: Scheme::H2c,
        ..backend("aws", 1, address)
    };
    let world = plan(vec![h2c]).start();
    let heard = ask(world.address, "/a").await;
    assert_eq!(heard, (200, "HTTP/2.0 meet.example /a".into()));
}

#[tokio::test]
async fn many_requests_at_once_share_one_h2c_connection() {
    let (entered, all) = (std::sync::Arc::new(tokio::sync::Barrier::new(20)), 20);
    let address = origin(Speaks::H2c, move |request| {
        let entered = std::sync::Arc::clone(&entered);
        async move {
            entered.wait().await;
            mirror(request).await
        }
    })
    .await;
    let h2c = Backend {
        scheme: Scheme::H2c,
        ..backend("aws", 1, address)
    };
    let world = plan(vec![h2c]).start();
    let sender = client::http2(world.address).await;
    let ask = |n| {
        let mut sender = sender.clone();
        async move {
            sender
                .send_request(get2(&format!("http://meet.example/{n}")))
                .await
                .unwrap()
                .status()
        }
    };
    let answers = futures_util::future::join_all((0..all).map(ask)).await;
    assert!(answers.iter().all(http::StatusCode::is_success));
}

#[tokio::test]
async fn http2_over_tls_to_https_by_name() {
    let theirs = authority(&["media.example"]);
    let ours = authority(&["meet.example"]);
    let address = tls_origin(theirs.server(), mirror).await;
    let https = Backend {
        scheme: Scheme::Https,
        host: HostPolicy::Endpoint,
        named: Some("media.example"),
        ..backend("aws", 1, address)
    };
    let mut plan = plan(vec![https]);
    plan.tls = Some(ours.server());
    plan.upstream = Some(theirs.client());
    let world = plan.start();
    let mut sender = client::https2(world.address, &ours.client(), "meet.example").await;
    let response = sender
        .send_request(get2("https://meet.example/a"))
        .await
        .unwrap();
    let expected = format!("HTTP/2.0 media.example:{} /a", address.port());
    assert_eq!(text(response).await, expected);
}

#[tokio::test]
async fn an_endpoint_whose_certificate_has_another_name_is_not_spoken_to() {
    let theirs = authority(&["other.example"]);
    let address = tls_origin(theirs.server(), mirror).await;
    let https = Backend {
        scheme: Scheme::Https,
        named: Some("media.example"),
        ..backend("aws", 1, address)
    };
    let mut plan = plan(vec![https]);
    plan.upstream = Some(theirs.client());
    let world = plan.start();
    let (status, body) = ask(world.address, "/").await;
    assert_eq!((status, &*body), (502, "Bad Gateway: tls\n"));
}

#[tokio::test]
async fn ipv6_and_ipv4_reach_a_dual_stack_listener() {
    let mut plan = plan(vec![backend("aws", 1, origin(Speaks::Http1, mirror).await)]);
    plan.ip = None;
    let world = plan.start();
    let port = world.address.port();
    for ip in ["127.0.0.1", "::1"] {
        let ip: std::net::IpAddr = ip.parse().unwrap();
        assert_eq!(ask((ip, port).into(), "/").await.0, 200);
    }
}

#[tokio::test]
async fn http1_over_tls_and_certificates_replaced_in_place() {
    let first = authority(&["meet.example"]);
    let second = authority(&["meet.example"]);
    let mut plan = plan(vec![backend("aws", 1, origin(Speaks::Http1, mirror).await)]);
    let tls = first.server();
    plan.tls = Some(tls.clone());
    let world = plan.start();
    let mut running = client::https1(world.address, &first.client(), "meet.example").await;
    let response = running.send_request(get("/a")).await.unwrap();
    assert_eq!(text(response).await, text_of("/a"));
    assert!(second.replace(&tls));
    let mut fresh = client::https1(world.address, &second.client(), "meet.example").await;
    let response = fresh.send_request(get("/b")).await.unwrap();
    assert_eq!(text(response).await, text_of("/b"));
    running.ready().await.unwrap();
    let response = running.send_request(get("/c")).await.unwrap();
    assert_eq!(text(response).await, text_of("/c"));
}

fn text_of(path: &str) -> String {
    format!("HTTP/1.1 meet.example {path}")
}

#[tokio::test]
async fn http1_to_https_that_only_speaks_http1() {
    let theirs = authority(&["media.example"]);
    let only_h1 = Protocols {
        h1: true,
        h2: false,
    };
    let address = tls_origin(theirs.server_of(only_h1), mirror).await;
    let https = Backend {
        scheme: Scheme::Https,
        named: Some("media.example"),
        ..backend("aws", 1, address)
    };
    let mut plan = plan(vec![https]);
    plan.upstream = Some(theirs.client());
    let world = plan.start();
    for _ in 0..3 {
        let heard = ask(world.address, "/a").await;
        assert_eq!(heard, (200, "HTTP/1.1 meet.example /a".into()));
    }
}
