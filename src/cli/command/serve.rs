//! `jeton serve`: answers links until it is told to stop.

use std::io;
use std::num::NonZeroUsize;
use std::thread::available_parallelism;

use clap::Args;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::global::Global;
use crate::failure::Failure;
use crate::node::Node;
use crate::node::logging;

const EXAMPLES: &str = "\
Examples:
  jeton serve                                 with ./jeton.toml, else /etc/jeton/jeton.toml
  jeton serve --config /etc/jeton/jeton.toml --log-format json
  kill -HUP PID                               read keys, profiles and certificate again
  kill -TERM PID                              finish the downloads that have begun, then stop;
                                              a second signal waits for nothing

What is wrong with a configuration is told all at once by `jeton config check`.";

/// Answer links: give each profile as often as its link says
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ServeArgs {}

pub(crate) fn run(ServeArgs {}: ServeArgs, global: &Global) -> Result<(), Failure> {
    let config = global.load()?;
    logging::start(global.log_format, global.log_level, &config.log)?;
    runtime()?.block_on(async {
        let signals = Signals::listen()?;
        let node = Node::open(config).await?;
        signals.rule(node, Hangup::Reloads).await
    })
}

/// Starts the threads that the ledger and the door between nodes run on: one for two
/// processors, since the public door has one for each of its own. More would only wake
/// each other.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    let processors = available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = processors.div_ceil(2);
    Builder::new_multi_thread().worker_threads(threads).enable_all().build().map_err(|error| {
        Failure::new(&error, "the system gives no threads; look at its limits (ulimit -u)")
    })
}

/// What SIGHUP means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Hangup {
    /// Keys, profiles and certificate are read again.
    Reloads,
    /// The terminal was closed, and with it goes the node.
    Stops,
}

/// The signals that rule a node, listened to from before anything is opened.
pub(crate) struct Signals {
    stop: Stop,
    insist: Stop,
    hangup: Signal,
}

/// SIGTERM and SIGINT.
struct Stop([Signal; 2]);

impl Signals {
    /// Begins to listen. From now on, none of them ends the program by itself.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let listen = || -> io::Result<_> {
            let hangup = signal(SignalKind::hangup())?;
            Ok(Self { stop: Stop::listen()?, insist: Stop::listen()?, hangup })
        };
        listen().map_err(|error| Failure::new(&error, "this is a fault of jeton, report it"))
    }

    /// Serves until a signal says to stop; a second one waits for no download.
    pub(crate) async fn rule(self, node: Node, hangup: Hangup) -> Result<(), Failure> {
        let Self { mut stop, mut insist, hangup: mut hung_up } = self;
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
        let insisted = async {
            insist.next().await;
            insist.next().await;
        };
        tokio::select! {
            served = served => served,
            () = insisted => {
                tracing::warn!("stopping at once: downloads that have begun are cut off");
                Ok(())
            }
        }
    }
}

impl Stop {
    fn listen() -> io::Result<Self> {
        Ok(Self([signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?]))
    }

    /// Completes when either signal comes.
    async fn next(&mut self) {
        let Self([terminate, interrupt]) = self;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}
