//! The dashboard over an invented world, to look at while working on the page:
//! `cargo run -p bascule-admin --example dashboard -- 127.0.0.1:9911`. It ends with Ctrl-C.

#[path = "../tests/api/world.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "made for the tests, which use all of it"
)]
mod world;

use std::sync::Arc;
use std::time::Duration;

use bascule_admin::{Settings, Tokens, serve};
use bascule_telemetry::clock;
use bascule_telemetry::events::Event;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    tokio::task::LocalSet::new().block_on(&runtime, show())
}

async fn show() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1);
    let address = address.unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let world = world::World::new();
    let settings = Settings {
        socket: None,
        listen: Some(Arc::new(std::net::TcpListener::bind(address)?)),
        metrics: None,
        host_names: Vec::new(),
        tokens: Tokens::default(),
        instance: "example".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: clock::wall(),
    };
    let server = serve(settings, world.ports())?;
    say_where(&server);
    world::begin_shift(&world);
    world::evacuated(&world);
    world.break_endpoints("oci", 2);
    if std::env::args().any(|word| word == "--bad-config") {
        world.config.fail();
    }
    let meet = world::service("meet");
    for (kind, text) in [
        ("config_loaded", "configuration 3f9c1e2a77b0 from meet.yaml"),
        (
            "shift_started",
            "shift s-0007 of meet began: aws 70 → 50, oci 30 → 50 (token:ops, CHG-4412)",
        ),
        (
            "weight_changed",
            "meet: aws 70 → 65, oci 30 → 35 (step 1 of 4)",
        ),
        (
            "weight_changed",
            "meet: aws 65 → 60, oci 35 → 40 (step 2 of 4)",
        ),
        (
            "health_changed",
            "oci/10.2.4.11:8080 of meet is down: answers 503",
        ),
        (
            "health_changed",
            "oci/10.2.4.10:8080 of meet is down: answers 503",
        ),
    ] {
        world.bus.publish(Event::new(kind, text).service(&meet));
    }
    loop {
        world.edge.serve("meet", "aws", 682, 1);
        world.edge.serve("meet", "oci", 318, 0);
        world.edge.serve("turn", "aws", 5, 0);
        world.edge.serve("turn", "oci", 5, 0);
        clock::sleep_until(clock::now() + Duration::from_secs(1)).await;
    }
}

#[expect(
    clippy::print_stdout,
    reason = "an example speaks to whoever started it"
)]
fn say_where(server: &bascule_admin::Server) {
    if let Some(address) = server.listen() {
        println!("http://{address}/");
    }
}
