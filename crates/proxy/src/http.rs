//! HTTP between clients and backends. A request's life, in files: [`serve`] runs the engine of a connection and calls
//! [`handle`] for each request, the function to read first; [`guarded`] lets no byte of HTTP/1 through that the guard does
//! not understand, [`frames`] watches those of HTTP/2; [`fields`] and [`check`] refuse what could be read in two ways;
//! [`key`] is what ties a request to others; [`forward`] makes the two heads, with [`hop`], [`origin`] and [`ids`]; [`body`] moves both bodies, with [`expect`] in
//! front where the client waits for a word; [`refuse`] answers what is not forwarded; [`hsts`] is the promise of
//! HTTPS; [`record`] remembers what became of it, and [`latency`] how long that took. [`limits`], [`progress`] and [`outflow`] bound memory and time.

pub(crate) mod body;
pub(crate) mod check;
pub(crate) mod chunk;
pub(crate) mod client;
pub(crate) mod expect;
pub(crate) mod fields;
pub(crate) mod forward;
pub(crate) mod frames;
pub(crate) mod guarded;
pub(crate) mod handle;
pub(crate) mod hop;
pub(crate) mod hsts;
pub(crate) mod ids;
pub(crate) mod intake;
pub(crate) mod key;
pub(crate) mod latency;
pub(crate) mod limits;
pub(crate) mod origin;
pub(crate) mod outflow;
pub(crate) mod progress;
pub(crate) mod record;
pub(crate) mod refuse;
pub(crate) mod serve;
