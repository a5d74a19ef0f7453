//! The public door: where holders of a link download their profile.
//!
//! Scaffolding: `door` is what all routes share, `limits` what is allowed,
//! `rate` and `client_address` are pure decisions about who asks, `admission`
//! leads a request to its redemption, `answer` has the bodies and headers,
//! `refusal` the table of all refusals, `request_log` and `redemption_log` the
//! two lines that are written, `tls_connection` counts handshakes,
//! `unwanted_body` keeps the connection clean.
//!
//! Content: `profile` is the route that gives a profile (`attachment` is its
//! answer), `share` is the page for people and the button on it, `health` tells
//! whether the node is alive and ready. What people read is in `page` (the
//! templates), `notice` (the refusals), `humanize`. A further page is
//! a further file with its own `configure`, named in [`configure`] below.
//!
//! There is no TLS here beyond taking a configuration, and no operators' door.
//! No route reads a path that the router decoded.

mod admission;
mod answer;
mod attachment;
mod client_address;
mod door;
mod health;
mod limits;
mod notice;
mod page;
mod profile;
mod rate;
mod redemption_log;
mod refusal;
mod request_log;
mod share;
#[cfg(test)]
mod tests;
mod tls_connection;
mod unwanted_body;

use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::available_parallelism;

use actix_web::middleware::from_fn;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use rustls::ServerConfig;

pub use client_address::TrustedProxies;
pub use door::{PublicDoor, RandomRequestIds, RequestIds};
pub use limits::{PublicLimits, Rate};
pub use redemption_log::RedemptionLog;

/// Puts all routes of the public door into an application.
pub fn configure(config: &mut web::ServiceConfig, door: &Arc<PublicDoor>) {
    // What is wrapped last is met first.
    let routes = web::scope("")
        .configure(health::configure)
        .configure(profile::configure)
        .configure(share::configure)
        .default_service(web::to(no_such_page))
        .wrap(from_fn(unwanted_body::refuse))
        .wrap(from_fn(request_log::log))
        .wrap(answer::security_headers());
    config.app_data(web::Data::from(Arc::clone(door))).service(routes);
}

/// Serves the public door on `listener` until `shutdown` is done.
///
/// Then no connection is accepted any more, downloads that have begun are
/// finished within [`PublicLimits::stop_time`], and the future is done. Signals are
/// left to the caller. Without `tls` it speaks plain HTTP, which is for use
/// behind a proxy only. HTTP/2 is never offered.
///
/// `workers` is the number of threads; by default one for each processor.
///
/// # Errors
///
/// What the system said when the listener or a thread could not be used.
pub async fn run(
    listener: TcpListener,
    tls: Option<ServerConfig>,
    door: Arc<PublicDoor>,
    limits: PublicLimits,
    workers: Option<NonZeroUsize>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    // actix has no time limit for responses. Linux has one, and a connection
    // inherits it from its listener.
    #[cfg(target_os = "linux")]
    socket2::SockRef::from(&listener).set_tcp_user_timeout(Some(limits.unread_time))?;
    let workers = workers.or_else(|| available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
    let metrics = Arc::clone(&door.log.metrics);
    let server = HttpServer::new(move || App::new().configure(|app| configure(app, &door)))
        .on_connect(move |connection, data| {
            tls_connection::count(connection, &metrics);
            unwanted_body::prepare(data);
        })
        .workers(workers.get())
        .max_connections(limits.connections_per_worker(workers))
        .keep_alive(limits.keep_alive)
        .client_request_timeout(limits.head_time)
        .tls_handshake_timeout(limits.handshake_time)
        .shutdown_timeout(limits.stop_time.as_secs())
        .disable_signals()
        .shutdown_signal(shutdown);
    let server = match tls {
        Some(tls) => server.listen_rustls_0_23(listener, tls)?,
        None => server.listen(listener)?,
    };
    server.run().await
}

async fn no_such_page(request: HttpRequest) -> HttpResponse {
    answer::no_such_page(&request)
}
