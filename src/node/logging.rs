//! Log lines on stderr, as text or JSON.

use std::io;

use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat, LogLevel};
use crate::failure::Failure;

/// Starts logging. Call this once. The command line overrides `RUST_LOG`, which overrides the
/// configuration.
pub(crate) fn start(
    format: Option<LogFormat>,
    level: Option<LogLevel>,
    log: &LogConfig,
) -> Result<(), Failure> {
    let filter = filter(level, std::env::var("RUST_LOG").ok(), log.level)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let colors = anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
    let started = match format.unwrap_or(log.format) {
        LogFormat::Text => lines.with_ansi(colors).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| Failure::bug(&*error))
}

fn filter(
    flag: Option<LogLevel>,
    variable: Option<String>,
    configured: LogLevel,
) -> Result<EnvFilter, Failure> {
    match (flag, variable) {
        (None, Some(directives)) if !directives.is_empty() => EnvFilter::try_new(&directives)
            .map_err(|error| {
                let hint = "use the form RUST_LOG=warn,jeton=debug, or unset it";
                Failure::say(format!("RUST_LOG is invalid: {error}"), hint)
            }),
        (flag, _) => Ok(EnvFilter::new(directives(flag.unwrap_or(configured)))),
    }
}

/// Returns the filter for a level. Libraries log from `warn` on, with two exceptions: actix's
/// dispatcher logs an error whenever a client sends garbage or disconnects, so any client could
/// fill the log. openraft logs each failed heartbeat to a node that is down; `cluster` logs that
/// once.
const fn directives(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "error,actix_http::h1::dispatcher=off",
        LogLevel::Warn => "warn,actix_http::h1::dispatcher=off,openraft=error",
        LogLevel::Info => "warn,actix_http::h1::dispatcher=off,openraft=error,jeton=info",
        LogLevel::Debug => "warn,actix_http::h1::dispatcher=off,openraft=error,jeton=debug",
        LogLevel::Trace => "warn,actix_http::h1::dispatcher=off,openraft=error,jeton=trace",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_overrides_the_variable_and_the_variable_overrides_the_file() {
        let set = || Some("jeton=trace".to_owned());
        let shown = |flag, variable| filter(flag, variable, LogLevel::Error).unwrap().to_string();
        assert!(shown(Some(LogLevel::Warn), set()).ends_with("warn"));
        assert_eq!(shown(None, set()), "jeton=trace");
        assert!(shown(None, Some(String::new())).ends_with("error"));
        assert!(shown(None, None).ends_with("error"));
        assert!(filter(None, Some("jeton=loud".to_owned()), LogLevel::Info).is_err());
    }
}
