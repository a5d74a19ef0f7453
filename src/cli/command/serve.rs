//! `jeton serve`: runs a node until a signal stops it.

use std::io;
use std::num::NonZeroUsize;
use std::thread::available_parallelism;

use clap::Args;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::global::Global;
use crate::failure::Failure;
use crate::node::{Node, logging};

const EXAMPLES: &str = "\
Examples:
  jeton serve                                 with ./jeton.toml, else /etc/jeton/jeton.toml
  jeton serve --config /etc/jeton/jeton.toml --log-format json
  kill -HUP PID                               reload keys, profiles and the certificate
  kill -TERM PID                              finish the downloads that have begun, then stop;
                                              a second signal stops at once

`jeton config check` reports every problem of a configuration at once.";

/// Serve links: deliver profiles, and count the uses
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ServeArgs {}

pub(crate) fn run(ServeArgs {}: ServeArgs, global: &Global) -> Result<(), Failure> {
    let config = global.load()?;
    logging::start(global.log_format, global.log_level, &config.log)?;
    runtime()?.block_on(async {
        let signals = Signals::listen()?;
        let node = Node::open(config).await?;
        signals.serve(node, Hangup::Reloads).await
    })
}

/// Starts the threads of the ledger and the cluster door: one for two processors, since the public
/// door has its own thread for each processor.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    let processors = available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = processors.div_ceil(2);
    Builder::new_multi_thread().worker_threads(threads).enable_all().build().map_err(|error| {
        Failure::new(&error, "the system starts no more threads; check its limits (ulimit -u)")
    })
}

/// What SIGHUP does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Hangup {
    /// It reloads keys, profiles and the certificate.
    Reloads,
    /// It stops the node, because the terminal was closed.
    Stops,
}

/// The signals of a node. Their handlers are installed before anything is opened.
pub(crate) struct Signals {
    stop: StopSignals,
    force: StopSignals,
    hangup: Signal,
}

/// SIGTERM and SIGINT.
struct StopSignals([Signal; 2]);

impl Signals {
    /// Installs the handlers. From now on, no signal ends the program by itself.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let listen = || -> io::Result<_> {
            let hangup = signal(SignalKind::hangup())?;
            Ok(Self { stop: StopSignals::listen()?, force: StopSignals::listen()?, hangup })
        };
        listen().map_err(|error| Failure::bug(&error))
    }

    /// Serves until a stop signal. A second one does not wait for downloads.
    pub(crate) async fn serve(self, node: Node, hangup: Hangup) -> Result<(), Failure> {
        let Self { mut stop, mut force, hangup: mut hung_up } = self;
        let served = async {
            match hangup {
                Hangup::Reloads => {
                    let reload = async || {
                        hung_up.recv().await;
                    };
                    node.serve(async move { stop.next().await }, reload).await
                }
                Hangup::Stops => {
                    let stop = async move {
                        tokio::select! {
                            () = stop.next() => {}
                            _ = hung_up.recv() => {}
                        }
                    };
                    node.serve(stop, std::future::pending).await
                }
            }
        };
        let forced = async {
            force.next().await;
            force.next().await;
        };
        tokio::select! {
            served = served => served,
            () = forced => {
                tracing::warn!("stopping at once: downloads that have begun are cut off");
                Ok(())
            }
        }
    }
}

impl StopSignals {
    fn listen() -> io::Result<Self> {
        Ok(Self([signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?]))
    }

    /// Completes at the next signal.
    async fn next(&mut self) {
        let Self([terminate, interrupt]) = self;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}
