//! The operators' door: list, revoke, permit and inspect, entered with an
//! admin token.
//!
//! It listens on its own address, loopback unless the config says otherwise,
//! and never gives a profile. Scaffolding: `door` (who may enter) and `error`
//! (how a request fails), `session` (what a sign-in becomes) and `same_origin`
//! (whose page asks). Content for programs, a file for each thing one can do:
//! `activity`, `inspect`, `metrics`, `revocations`, `status`, `tokens`, `users`;
//! for people: `pages`.

mod activity;
mod door;
mod error;
mod inspect;
mod metrics;
mod pages;
mod revocations;
mod same_origin;
mod session;
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
use actix_web::web::{self, Data, JsonConfig, ServiceConfig};
use actix_web::{App, HttpServer};

pub use door::{AdminDoor, ServedCertificate};
use error::AdminError;
pub use session::Sessions;

/// The most bytes a request body may have.
const BODY_MAX: usize = 16 * 1024;

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
    let json = JsonConfig::default()
        .limit(BODY_MAX)
        .error_handler(|error, _request| AdminError::body(&error).into());
    app.app_data(Data::from(Arc::clone(door))).app_data(json);
    app.route("/metrics", web::get().to(metrics::show));
    app.service(
        web::scope("/api/v1")
            .route("/activity", web::get().to(activity::list))
            .route("/inspect", web::post().to(inspect::inspect))
            .route("/revocations", web::post().to(revocations::revoke))
            .route("/status", web::get().to(status::show))
            .route("/tokens", web::get().to(tokens::list))
            .route("/users", web::get().to(users::list))
            .route("/users/{user}/autologin", web::put().to(users::permit)),
    );
    pages::configure(app);
}

fn security_headers() -> DefaultHeaders {
    DefaultHeaders::new()
        .add(("Cache-Control", "no-store"))
        .add(("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"))
        .add(("Referrer-Policy", "no-referrer"))
        .add(("X-Content-Type-Options", "nosniff"))
}
