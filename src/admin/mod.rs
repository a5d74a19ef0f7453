//! The operators' door: mint, list, revoke, permit and inspect, entered with an
//! admin token.
//!
//! It listens on its own address, loopback unless the config says otherwise,
//! and never gives a profile. There is `door` (who may enter), `session` (what a
//! sign-in becomes) and `same_origin` (whose page asks); behind them are `api`,
//! for programs, and `pages`, for people, and what both show: `roster` (who there
//! is), `node_facts` (how this node is) and `membership` (how the others are).

mod api;
mod door;
mod membership;
mod node_facts;
mod pages;
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

use api::AdminError;
pub use api::{Inviter, NoInvitation};
pub use door::{AdminDoor, ServedCertificate};
pub use session::Sessions;

use crate::web_security::security_headers;

/// The most connections that are served at a time; further ones wait. It is small,
/// because each holds a file, and the ledger needs files, too.
pub const CONNECTIONS_MAX: usize = 64;

/// How long a client may take for the head of a request.
const HEAD_TIME: Duration = Duration::from_secs(5);

/// Serves the operators' door on `listener` until `shutdown` completes.
///
/// # Errors
///
/// Returns what the system says if the listener cannot be used.
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

/// Adds the routes of the operators' door to an application.
fn configure(app: &mut ServiceConfig, door: &Arc<AdminDoor>) {
    app.app_data(Data::from(Arc::clone(door)));
    // What pages do not know is lost, so they come last.
    api::configure(app);
    pages::configure(app);
}
