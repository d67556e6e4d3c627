//! `campanile trace`: the story of one call, from the logs in the data folder.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::config::{self, Config, ConfigError, Sources};
use crate::record::trace::{Trace, TraceError, Whole};

/// What can be said after `campanile trace`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The transaction id of the call: `call_id` in the logs, `TransactionId` in its record.
    id: String,
    /// The server's configuration file, to find its data folder.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The server's data folder; the server need not run.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Show every SIP message whole, secrets masked.
    #[arg(long)]
    messages: bool,
    /// Write the SIP messages, secrets masked, as a capture that Wireshark reads.
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error("{0}")]
    Config(#[from] ConfigError),
    #[error("{0}")]
    Trace(#[from] TraceError),
    #[error("cannot write {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
}

/// Tells the story.
#[must_use]
#[allow(clippy::print_stderr)]
pub fn run(arguments: Arguments) -> ExitCode {
    match tell(arguments) {
        Ok(text) => {
            // A reader that has gone wants nothing more.
            let _ = writeln!(io::stdout(), "{}", text.trim_end());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("campanile: {error}");
            match error {
                CommandError::Config(_) => ExitCode::from(config::EXIT_CODE),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

fn tell(arguments: Arguments) -> Result<String, CommandError> {
    let data = match arguments.data {
        Some(data) => data,
        None => {
            let sources = Sources {
                file: arguments.config,
                data: None,
                environment: std::env::vars_os()
                    .filter_map(|(name, value)| {
                        Some((name.into_string().ok()?, value.into_string().ok()?))
                    })
                    .collect(),
            };
            Config::load(&sources)?.node.data
        }
    };
    let trace = Trace::read(&data, &arguments.id)?;
    let mut text = if arguments.messages {
        Whole(&trace).to_string()
    } else {
        trace.to_string()
    };
    if let Some(path) = arguments.pcap {
        let failed = |source| CommandError::File {
            path: path.clone(),
            source,
        };
        let file = BufWriter::new(File::create(&path).map_err(failed)?);
        let captured = trace.write_pcap(file)?;
        text.push_str(&format!(
            "\n{}: {} SIP messages, each as one UDP datagram whatever it travelled on{}. Media is not in it: no RTP is recorded.\n",
            path.display(),
            captured.messages,
            match captured.left_out {
                0 => String::new(),
                left_out => format!(" ({left_out} left out: their way is not known, or they are too long)"),
            }
        ));
    }
    Ok(text)
}
