//! **handle**: the life of a request, in order; read this first. It takes one view and keeps it to the end, and nothing
//! happens to a request that is not called from here. The phases, one name each in code, metrics, logs and
//! `docs/life-of-a-request.md`: accept → secure → serve → *handle* → route → admit → pick → connect → forward → attempt →
//! record. It must never wait for anything but the client and the backend, and never look at a newer snapshot.

use std::rc::Rc;

use http::header::STRICT_TRANSPORT_SECURITY;
use http::{Request, Response};
use hyper::body::Incoming;

use crate::attempt::{self, Answer};
use crate::http::body::ResponseBody;
use crate::http::check::check;
use crate::http::fields;
use crate::http::forward;
use crate::http::record::Exchange;
use crate::http::refuse::{self, Refused};

/// Answers one request. The exchange is recorded when it is dropped: with the last byte of the response's body, or here,
/// in the middle, when the client goes away and the engine drops this future.
pub(crate) async fn handle(
    mut exchange: Box<Exchange>,
    request: Request<Incoming>,
) -> Response<ResponseBody> {
    let hsts = exchange.client.hsts.clone();
    let mut response = match answered(&mut exchange, request).await {
        Ok(answer) => forward::response(answer, exchange),
        Err(refused) => refuse::answer(&refused, exchange),
    };
    if let Some(hsts) = hsts {
        response
            .headers_mut()
            .insert(STRICT_TRANSPORT_SECURITY, hsts);
    }
    response
}

/// Everything between a request's head and the head of its response.
async fn answered(exchange: &mut Exchange, request: Request<Incoming>) -> Result<Answer, Refused> {
    let target = exchange.client.judge()?;
    fields::check(&request, &exchange.client)?;
    let asked = check(&request, target)?;
    if !exchange.client.carries(asked.host_text()) {
        return Err(Refused::Misdirected);
    }
    let view = Rc::clone(&exchange.view);
    let listener = &exchange.client.listener.name;
    let service = view.route(listener, asked.host_text(), asked.path.path());
    let service = exchange.routed(service.ok_or(Refused::NoService)?);
    exchange.decide(&asked);
    service.admit()?;
    exchange.bind(request.headers(), &asked);
    let key = exchange.key(request.headers(), &asked);
    let mut outgoing = forward::request(request, asked, exchange)?;
    // pick → connect → forward, and once more where that is allowed
    attempt::run(&service, key, &mut outgoing, exchange).await
}
