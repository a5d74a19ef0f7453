//! The public door, tried from outside: over TCP, byte by byte.

mod connection;
mod house;
mod log;
mod profile;
mod refusal;
mod share;
mod spelling;
mod tls;
