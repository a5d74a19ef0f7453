//! Tests of the public door from outside: over TCP, byte by byte.

mod connection;
mod fixture;
mod log;
mod profile;
mod refusal;
mod share;
mod spelling;
mod tls;
