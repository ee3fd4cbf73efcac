//! A fake of Global Accelerator: one endpoint group of one accelerator, the two calls that read and change the group, and the
//! one that tells how far the accelerator is, with the limits AWS documents. As there, an update that has a list of endpoints
//! replaces the whole list, what is not said stays, and the accelerator is in progress for a while after it.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use bytes::Bytes;
use futures_util::future;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::LocalSet;

use crate::thread;

/// The group it has.
pub const GROUP: &str = "arn:aws:globalaccelerator::123456789012:accelerator/1234abcd/listener/0123vxyz/endpoint-group/098765zyxwvu";

/// The accelerator that the group is of.
pub const ACCELERATOR: &str = "arn:aws:globalaccelerator::123456789012:accelerator/1234abcd";

/// Endpoints a group may have.
const ENDPOINTS_MAX: usize = 10;

/// A running fake; ends when dropped.
#[derive(Debug)]
pub struct Accelerator {
    address: SocketAddr,
    cloud: Arc<Mutex<Cloud>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Debug)]
struct Cloud {
    /// As `DescribeEndpointGroup` tells it.
    group: Value,
    /// How often it says after an update that it is in progress.
    looks: u32,
    /// How often it still will.
    looks_left: u32,
}

impl Accelerator {
    /// Starts one, on a free port of loopback, whose group has these endpoints by id and weight.
    ///
    /// # Errors
    /// No port or thread is to be had.
    pub fn start(endpoints: &[(&str, u32)]) -> Result<Self> {
        let endpoints: Vec<Value> = endpoints
            .iter()
            .map(|(id, weight)| json!({ "EndpointId": id, "Weight": weight, "HealthState": "HEALTHY", "ClientIPPreservationEnabled": true }))
            .collect();
        let cloud = Arc::new(Mutex::new(Cloud {
            group: json!({
                "EndpointGroupArn": GROUP,
                "EndpointGroupRegion": "us-east-1",
                "TrafficDialPercentage": 100.0,
                "EndpointDescriptions": endpoints,
            }),
            looks: 1,
            looks_left: 0,
        }));
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let runtime = thread::runtime()?;
        let here = Arc::clone(&cloud);
        let thread = thread::spawn(&format!("accelerator {address}"), move || {
            LocalSet::new().block_on(&runtime, async {
                let accepting = accept(listener, here);
                future::select(std::pin::pin!(accepting), stopped).await;
            });
        })?;
        Ok(Self {
            address,
            cloud,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The group as `DescribeEndpointGroup` tells it.
    #[must_use]
    pub fn group(&self) -> Value {
        lock(&self.cloud).group.clone()
    }

    /// After each update it says so often that it is in progress; once unless somebody says otherwise.
    pub fn set_looks(&self, looks: u32) {
        lock(&self.cloud).looks = looks;
    }

    /// Another tool's doing: the weight of an endpoint.
    pub fn set_weight(&self, endpoint: &str, weight: u32) {
        set_weight(&self.cloud, endpoint, weight);
    }

    /// Another tool's doing: the traffic dial, in percent.
    pub fn set_dial(&self, percent: f64) {
        if let Some(fields) = lock(&self.cloud).group.as_object_mut() {
            fields.insert("TrafficDialPercentage".to_owned(), percent.into());
        }
    }

    /// What [`set_weight`](Self::set_weight) does, to be done later.
    #[must_use]
    pub fn weight_setter(&self, endpoint: &str, weight: u32) -> Box<dyn FnOnce() + Send> {
        let (cloud, endpoint) = (Arc::clone(&self.cloud), endpoint.to_owned());
        Box::new(move || set_weight(&cloud, &endpoint, weight))
    }
}

impl Drop for Accelerator {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn lock(cloud: &Mutex<Cloud>) -> std::sync::MutexGuard<'_, Cloud> {
    cloud.lock().unwrap_or_else(PoisonError::into_inner)
}

fn set_weight(cloud: &Mutex<Cloud>, endpoint: &str, weight: u32) {
    let mut cloud = lock(cloud);
    let endpoints = cloud
        .group
        .get_mut("EndpointDescriptions")
        .and_then(Value::as_array_mut);
    let is_meant = |description: &&mut Value| {
        description.get("EndpointId").and_then(Value::as_str) == Some(endpoint)
    };
    for description in endpoints.into_iter().flatten().filter(is_meant) {
        if let Some(there) = description.get_mut("Weight") {
            *there = weight.into();
        }
    }
}

async fn accept(listener: std::net::TcpListener, cloud: Arc<Mutex<Cloud>>) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let cloud = Arc::clone(&cloud);
        thread::beside(async move {
            let service = service_fn(|request| answer(request, Arc::clone(&cloud)));
            let http = hyper::server::conn::http1::Builder::new();
            // How a client ends its connection is its own affair.
            drop(http.serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    cloud: Arc<Mutex<Cloud>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let header = |name| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let call = header("x-amz-target").unwrap_or_default().to_owned();
    let is_signed = header("authorization").is_some_and(|value| {
        value.starts_with("AWS4-HMAC-SHA256 ")
            && value.contains("/us-west-2/globalaccelerator/aws4_request")
    });
    let body = match request.into_body().collect().await {
        Ok(body) => serde_json::from_slice(&body.to_bytes()).unwrap_or_default(),
        Err(_) => Value::Null,
    };
    let result = match (is_signed, call.as_str()) {
        (false, _) => Err(("AccessDeniedException", "not signed for us-west-2")),
        (true, "GlobalAccelerator_V20180706.DescribeAccelerator") => status(&cloud, &body),
        (true, "GlobalAccelerator_V20180706.DescribeEndpointGroup") => described(&cloud, &body),
        (true, "GlobalAccelerator_V20180706.UpdateEndpointGroup") => updated(&cloud, &body),
        _ => Err(("UnknownOperationException", "no such call")),
    };
    let (status, body) = match result {
        Ok(body) => (200, body),
        Err((code, message)) => (400, json!({ "__type": code, "Message": message })),
    };
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    if let Ok(status) = http::StatusCode::from_u16(status) {
        *response.status_mut() = status;
    }
    Ok(response)
}

type Refusal = (&'static str, &'static str);

/// Each look brings it nearer to its end.
fn status(cloud: &Mutex<Cloud>, asked: &Value) -> Result<Value, Refusal> {
    if asked.get("AcceleratorArn").and_then(Value::as_str) != Some(ACCELERATOR) {
        return Err(("AcceleratorNotFoundException", "no such accelerator"));
    }
    let mut cloud = lock(cloud);
    let left = cloud.looks_left.checked_sub(1);
    cloud.looks_left = left.unwrap_or(0);
    let status = left.map_or("DEPLOYED", |_| "IN_PROGRESS");
    let accelerator = json!({ "AcceleratorArn": ACCELERATOR, "Name": "pretended", "Enabled": true, "Status": status });
    Ok(json!({ "Accelerator": accelerator }))
}

fn described(cloud: &Mutex<Cloud>, asked: &Value) -> Result<Value, Refusal> {
    group(cloud, asked).map(|group| json!({ "EndpointGroup": group }))
}

fn group(cloud: &Mutex<Cloud>, asked: &Value) -> Result<Value, Refusal> {
    if asked.get("EndpointGroupArn").and_then(Value::as_str) != Some(GROUP) {
        return Err(("EndpointGroupNotFoundException", "no such group"));
    }
    Ok(lock(cloud).group.clone())
}

fn updated(cloud: &Mutex<Cloud>, asked: &Value) -> Result<Value, Refusal> {
    let mut after = group(cloud, asked)?;
    let fields = after
        .as_object_mut()
        .ok_or(("InternalServiceErrorException", ""))?;
    if let Some(dial) = asked.get("TrafficDialPercentage") {
        fields.insert("TrafficDialPercentage".to_owned(), dial.clone());
    }
    if let Some(endpoints) = asked
        .get("EndpointConfigurations")
        .and_then(Value::as_array)
    {
        if endpoints.len() > ENDPOINTS_MAX {
            return Err(("LimitExceededException", "too many endpoints"));
        }
        let endpoints: Result<Vec<Value>, Refusal> = endpoints.iter().map(endpoint).collect();
        fields.insert("EndpointDescriptions".to_owned(), endpoints?.into());
    }
    let mut cloud = lock(cloud);
    cloud.looks_left = cloud.looks;
    cloud.group.clone_from(&after);
    Ok(json!({ "EndpointGroup": after }))
}

fn endpoint(asked: &Value) -> Result<Value, Refusal> {
    let id = asked.get("EndpointId").and_then(Value::as_str);
    let id = id.ok_or(("InvalidArgumentException", "an endpoint without an id"))?;
    let weight = asked.get("Weight").map_or(Some(128), Value::as_u64);
    let weight = weight
        .filter(|weight| *weight <= 255)
        .ok_or(("InvalidArgumentException", "a weight is 0 to 255"))?;
    let keeps = asked.get("ClientIPPreservationEnabled").cloned();
    let mut out = Map::new();
    out.insert("EndpointId".to_owned(), id.into());
    out.insert("Weight".to_owned(), weight.into());
    out.insert("HealthState".to_owned(), "HEALTHY".into());
    out.insert(
        "ClientIPPreservationEnabled".to_owned(),
        keeps.unwrap_or_else(|| false.into()),
    );
    Ok(Value::Object(out))
}
