//! Counts completed TLS handshakes.

use std::any::Any;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::rt::net::TcpStream;
use rustls::ProtocolVersion;

use crate::metrics::{Metrics, TlsVersion};

/// Counts the handshake of a new connection if it uses TLS.
pub(super) fn count(connection: &dyn Any, metrics: &Metrics) {
    let Some(stream) = connection.downcast_ref::<TlsStream<TcpStream>>() else { return };
    let (_, session) = stream.get_ref();
    match session.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => metrics.handshake_completed(TlsVersion::V12),
        Some(ProtocolVersion::TLSv1_3) => metrics.handshake_completed(TlsVersion::V13),
        // `tls` offers no other version.
        Some(_) | None => {}
    }
}
