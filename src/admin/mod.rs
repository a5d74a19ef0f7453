//! The operators' door: mint, list, revoke, permit and inspect, entered with an
//! admin token.
//!
//! It listens on its own address, loopback unless the config says otherwise,
//! and never gives a profile. Scaffolding: `routes` (which request goes where),
//! `door` (who may enter), `session` (what a sign-in becomes) and `same_origin`
//! (whose page asks), `body`, `fields` and `percent` (what a request says),
//! `error` (how it fails), and `openapi` (all of it as a document). Content for
//! programs, a file for each thing one can do: `activity`, `health`, `inspect`,
//! `invites`, `members`, `metrics`, `mint`, `records`, `revocations`, `session_info`, `status`,
//! `tokens`, `users`; for people: `pages`.

mod activity;
mod body;
mod door;
mod error;
mod fields;
mod health;
mod inspect;
mod invites;
mod members;
mod metrics;
mod mint;
mod openapi;
mod pages;
mod percent;
mod records;
mod revocations;
mod routes;
mod same_origin;
mod session;
mod session_info;
mod status;
mod tokens;
mod users;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use actix_web::middleware::DefaultHeaders;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{App, HttpServer};

pub use door::{AdminDoor, ServedCertificate};
use error::AdminError;
pub use invites::{Inviter, NoInvitation};
pub use session::Sessions;

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
    pages::configure(app);
    routes::configure(app);
}

fn security_headers() -> DefaultHeaders {
    DefaultHeaders::new()
        .add(("Cache-Control", "no-store"))
        .add(("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"))
        .add(("Referrer-Policy", "no-referrer"))
        .add(("X-Content-Type-Options", "nosniff"))
}
