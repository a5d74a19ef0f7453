//! The admin door: mint, list, revoke, permit and inspect, with an admin token.
//!
//! It listens on an address of its own, by default on loopback, and never delivers a profile.
//! `door` decides who may enter, with the help of `session` (signed-in browsers) and `same_origin`
//! (which site a request comes from). `error` and `request_fault` say why a request failed.
//! `roster` (the users), `node_facts` (this node) and `membership` (all nodes) collect what both
//! `api`, for programs, and `pages`, for people, show.

mod api;
mod door;
mod error;
mod inviter;
mod membership;
mod node_facts;
mod pages;
mod request_fault;
mod roster;
mod same_origin;
mod session;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{Data, ServiceConfig};
use actix_web::{App, HttpServer};

use crate::web_security::security_headers;
pub use door::{AdminDoor, ServedCertificate};
use error::AdminError;
pub use inviter::{Inviter, NoInvitation};
use session::Sessions;

/// The most connections that are served at a time; further ones wait. Each holds a file descriptor,
/// and the ledger needs some, too.
pub const CONNECTIONS_MAX: usize = 64;

/// How long a client may take to send the head of a request.
const HEAD_TIME: Duration = Duration::from_secs(5);

/// Serves the admin door on `listener` until `shutdown` completes.
///
/// # Errors
///
/// Returns the system's error if the listener cannot be used.
pub async fn run(
    listener: TcpListener,
    door: Arc<AdminDoor>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let server = HttpServer::new(move || {
        App::new().wrap(security_headers()).configure(|app| configure(app, &door))
    })
    .workers(1)
    .max_connections(CONNECTIONS_MAX)
    .client_request_timeout(HEAD_TIME)
    .disable_signals()
    .shutdown_timeout(5)
    .listen(listener)?
    .run();
    let handle = server.handle();
    tokio::spawn(async move {
        shutdown.await;
        handle.stop(true).await;
    });
    server.await
}

/// Adds the routes of the admin door to an application.
fn configure(app: &mut ServiceConfig, door: &Arc<AdminDoor>) {
    app.app_data(Data::from(Arc::clone(door)));
    // The pages answer all paths that are left, so they come last.
    api::configure(app);
    pages::configure(app);
}
