//! What is logged, on standard error: as much as `log.level` says, and never nothing by mistake.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

use crate::config::{Config, ConfigError, LogFormat};

/// Starts the log of this process.
///
/// # Errors
/// The level that is asked for means nothing.
pub fn start(config: &Config) -> Result<(), ConfigError> {
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter(config)?)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match config.log.format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}

fn filter(config: &Config) -> Result<EnvFilter, ConfigError> {
    let level = &config.log.level;
    let refuse = |why: String| {
        config.refuse(
            "log.level",
            format!("{level:?}: {why}"),
            "write error, warn, info, debug or trace, or a filter such as \"campanile=debug,info\"",
        )
    };
    let parts: Vec<&str> = level.split(',').map(str::trim).collect();
    if parts.iter().all(|part| part.is_empty()) {
        return Err(refuse("a level is missing".to_owned()));
    }
    // A word alone is taken for the name of a module; if there is none of it, nothing at all is logged.
    for part in parts.into_iter().filter(|_| !level.contains('[')) {
        let known = part.is_empty() || part.contains('=') || part.starts_with("campanile");
        if !known && part.parse::<LevelFilter>().is_err() {
            return Err(refuse(format!("{part:?} is no level")));
        }
    }
    EnvFilter::try_new(level).map_err(|error| refuse(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_that_would_log_nothing_is_refused() {
        let mut config = Config::defaults().unwrap();
        for good in [
            "info",
            "WARN",
            "off",
            "campanile=debug,info",
            "info,sqlx=trace",
            "info,",
            "warn,campanile::node",
            "info,[call]=debug",
            "[span]=debug",
        ] {
            config.log.level = good.to_owned();
            assert!(filter(&config).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("loud", "\"loud\" is no level"),
            ("", "a level is missing"),
            (" , ", "a level is missing"),
            ("info, sqlx", "\"sqlx\" is no level"),
            ("a=b=c", "error parsing"),
        ] {
            config.log.level = bad.to_owned();
            let told = filter(&config).unwrap_err().to_string();
            assert!(told.contains("log.level") && told.contains(why), "{told}");
        }
    }
}
