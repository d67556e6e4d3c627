//! Tells cargo what the build embeds: migrations, and the web page where it was built.

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=src/store/migrations");
    println!("cargo:rerun-if-changed=web/dist");
    // The page is built by Node. Without it the folder is missing, and the server says so instead.
    let dist = Path::new("web/dist");
    if !dist.exists()
        && let Err(error) = std::fs::create_dir_all(dist)
    {
        println!("cargo:warning=web/dist cannot be made: {error}");
    }
}
