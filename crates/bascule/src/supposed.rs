//! A request that nobody made, for `explain request`: as the admin side says it, and as the data plane takes it.

use bascule_admin::Supposed;
use bascule_config::Listener;

/// A request that nobody made, as the data plane takes it.
pub(crate) fn proxied<'a>(
    supposed: &'a Supposed,
    listener: &'a Listener,
) -> bascule_proxy::Supposed<'a> {
    bascule_proxy::Supposed {
        listener,
        path: &supposed.path,
        headers: &supposed.headers,
        client: supposed.client,
        server_name: supposed.server_name.as_deref(),
        repeatable: supposed.repeatable,
    }
}
