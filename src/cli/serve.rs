//! `jeton serve`: answers links until it is told to stop.

use clap::Args;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::failure::Failure;
use super::global::Global;
use super::logging;
use super::node::Node;

const EXAMPLES: &str = "\
Examples:
  jeton serve                                 with ./jeton.toml, else /etc/jeton/jeton.toml
  jeton serve --config /etc/jeton/jeton.toml --log-format json
  kill -HUP PID                               read keys, profiles and certificate again
  kill -TERM PID                              finish the downloads that have begun, then stop

What is wrong with a configuration is told all at once by `jeton config check`.";

/// Answer links: give each profile as often as its link says
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ServeArgs {}

pub(crate) fn run(ServeArgs {}: ServeArgs, global: &Global) -> Result<(), Failure> {
    let config = global.load()?;
    logging::start(global, config.log)?;
    runtime()?.block_on(async {
        let [stop, stop_too, mut reload] = signals()?;
        let node = Node::open(config).await?;
        node.serve(either(stop, stop_too), async || {
            reload.recv().await;
        })
        .await
    })
}

/// Starts the threads that the ledger and the doors run on.
pub(super) fn runtime() -> Result<Runtime, Failure> {
    Runtime::new().map_err(|error| {
        Failure::new(&error, "the system gives no threads; look at its limits (ulimit -u)")
    })
}

/// Listens for SIGTERM, SIGINT and SIGHUP, from before anything is opened.
pub(super) fn signals() -> Result<[Signal; 3], Failure> {
    let listen = |kind| {
        signal(kind).map_err(|error| Failure::new(&error, "this is a fault of jeton, report it"))
    };
    Ok([
        listen(SignalKind::terminate())?,
        listen(SignalKind::interrupt())?,
        listen(SignalKind::hangup())?,
    ])
}

/// Completes when either signal comes.
pub(super) async fn either(mut one: Signal, mut other: Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}
