//! The public door: where holders of a link download their profile.
//!
//! ```text
//! profile          GET and HEAD of a profile; attachment is the response
//! share            the page for people, and its download button
//! health           whether the node is alive and ready
//!
//! admission        from a request to a redemption
//! door             what all routes share; limits is what they allow
//! client_address   the client's address, behind trusted proxies
//! refusal          the table of refusals; notice is the same for people
//! response, page   everything that is not a profile
//! request_log      one log line for each request; request_id names it
//! redemption_log   one log line, metric and event for each decision
//! unwanted_body    rejects bodies of GET and HEAD
//! tls_connection   counts handshakes
//! ```
//!
//! A new route is a new file with its own `configure`, called in [`configure`] below. No route
//! reads a path that the router has decoded.

mod admission;
mod attachment;
mod client_address;
mod door;
mod health;
mod limits;
mod notice;
mod page;
mod profile;
mod redemption_log;
mod refusal;
mod request_id;
mod request_log;
mod response;
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

use actix_web::http::header;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use rustls::ServerConfig;

pub use client_address::TrustedProxies;
pub use door::PublicDoor;
pub use limits::PublicLimits;
pub use redemption_log::RedemptionLog;
pub use request_id::{RandomRequestIds, RequestIds};

pub use crate::rate_limit::Rate;
use crate::web_security::security_headers;

/// Adds the routes of the public door to an application.
pub fn configure(config: &mut web::ServiceConfig, door: &Arc<PublicDoor>) {
    let hsts = (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    // The middleware that is added last runs first.
    let routes = web::scope("")
        .configure(health::configure)
        .configure(profile::configure)
        .configure(share::configure)
        .default_service(web::to(response::no_such_page))
        .wrap(from_fn(unwanted_body::reject))
        .wrap(from_fn(request_log::log))
        .wrap(security_headers().add(hsts));
    config.app_data(web::Data::from(Arc::clone(door))).service(routes);
}

/// Serves the public door on `listener` until `shutdown` completes.
///
/// It then accepts no more connections, and returns when the downloads under way are done, or after
/// [`PublicLimits::stop_time`]. It handles no signals. Without `tls` it serves plain HTTP, which is
/// for use behind a proxy only. HTTP/2 is never offered.
///
/// `workers` is the number of threads; by default one for each processor.
///
/// # Errors
///
/// Returns the system's error if the listener or a thread cannot be used.
pub async fn run(
    listener: TcpListener,
    tls: Option<ServerConfig>,
    door: Arc<PublicDoor>,
    limits: PublicLimits,
    workers: Option<NonZeroUsize>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    // actix has no timeout for responses. Linux has one, which a connection inherits from its
    // listener.
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
        // By default a worker that has 256 unfinished handshakes accepts nothing, so that clients
        // which send nothing would keep out all others. `handshake_time` limits those.
        .max_connection_rate(limits.connections_per_worker(workers))
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
