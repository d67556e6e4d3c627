//! Arguments → configuration → node → run → drain.

use std::path::PathBuf;
use std::process::ExitCode;

use campanile::config::{Config, EXIT_CODE, Sources};
use campanile::{admin_command, call_command, node, trace_command};
use clap::{Args, Parser, Subcommand};

/// A self-hosted server for voice and meetings.
#[derive(Parser, Debug)]
#[command(name = "campanile", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the server (the same as no command at all).
    Serve(Serve),
    /// Call somebody: a scripted phone that tells how good the call was.
    Call(call_command::Arguments),
    /// Tell the story of a call: its SIP messages, offers, media figures and ending.
    Trace(trace_command::Arguments),
    /// Administer the running server of a data folder.
    Admin(admin_command::Arguments),
}

#[derive(Args, Debug)]
struct Serve {
    /// The configuration file; without it the defaults hold.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder of everything that outlives the process; stronger than the configuration.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

fn main() -> ExitCode {
    // Before anything can use TLS: two providers in one process would make rustls panic.
    if rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_err()
    {
        return fail("the TLS provider was installed twice", ExitCode::FAILURE);
    }
    let arguments = Arguments::parse();
    match arguments.command {
        None => serve(arguments.serve),
        Some(Command::Serve(arguments)) => serve(arguments),
        Some(Command::Call(arguments)) => call_command::run(arguments),
        Some(Command::Trace(arguments)) => trace_command::run(arguments),
        Some(Command::Admin(arguments)) => admin_command::run(&arguments),
    }
}

fn serve(arguments: Serve) -> ExitCode {
    let sources = Sources {
        file: arguments.config,
        data: arguments.data,
        environment: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
    };
    let started =
        Config::load(&sources).and_then(|config| node::start_log(&config).map(|()| config));
    let config = match started {
        Ok(config) => config,
        Err(error) => return fail(&error.to_string(), ExitCode::from(EXIT_CODE)),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("no threads: {error}"), ExitCode::FAILURE),
    };
    match runtime.block_on(node::run(config.clone())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let (told, status) = node::blame(&config, error);
            fail(&told, ExitCode::from(status))
        }
    }
}

/// Says one line on standard error, whether the log runs or not.
#[allow(clippy::print_stderr)]
fn fail(text: &str, code: ExitCode) -> ExitCode {
    eprintln!("campanile: {text}");
    code
}
