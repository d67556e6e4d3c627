//! Finds the foreign programs that tests speak with. A missing one is told loudly, and in CI it fails.

use std::env;
use std::path::PathBuf;

/// The program's path. `None` after a loud line when it is missing; a panic when peers are required
/// (`CAMPANILE_REQUIRE_PEERS=1`): a test that did not run has proved nothing.
pub(crate) fn peer(command: &str) -> Option<PathBuf> {
    let found = env::split_paths(&env::var_os("PATH").unwrap_or_default())
        // Debian keeps daemons out of ordinary users' paths.
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/bin")])
        .map(|folder| folder.join(command))
        .find(|path| path.is_file());
    found.or_else(|| missing(command))
}

/// The Python of the tests' own environment, with boto3, made by `tools/test`.
pub(crate) fn python() -> Option<PathBuf> {
    let python = repository().join(".venv/bin/python");
    if python.is_file() {
        Some(python)
    } else {
        missing(".venv/bin/python (tools/test makes it)")
    }
}

/// The root of the source tree.
pub(crate) fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// `None` after a loud line, or a panic: see [`peer`].
pub(crate) fn missing<T>(what: &str) -> Option<T> {
    assert!(
        env::var_os("CAMPANILE_REQUIRE_PEERS").is_none_or(|value| value != "1"),
        "{what} is missing, and every peer is required"
    );
    eprintln!("\n!!! SKIPPED, nothing was proved: {what} is missing\n");
    None
}
