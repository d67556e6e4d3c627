//! What this server is called among those of one database: drawn at the first start, kept in the data folder.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rand::TryRng;
use rand::rngs::SysRng;

use crate::store::SERVER_ID as FILE;

/// Reads it, or draws it.
///
/// # Errors
/// The file; no random octets.
pub(super) fn of(data: &Path) -> io::Result<String> {
    let file = data.join(FILE);
    match fs::read_to_string(&file) {
        Ok(known) if !known.trim().is_empty() => return Ok(known.trim().to_owned()),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut octets = [0; 16];
    SysRng
        .try_fill_bytes(&mut octets)
        .map_err(io::Error::other)?;
    let drawn = format!("{:032x}", u128::from_be_bytes(octets));
    // Whole or not at all, also when the machine stops in the middle.
    let new = data.join(format!("{FILE}.new"));
    let mut written = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&new)?;
    written.write_all(drawn.as_bytes())?;
    written.sync_all()?;
    fs::rename(&new, &file)?;
    Ok(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_drawn_once_for_a_folder_and_another_for_each() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let drawn = of(one.path()).unwrap();
        assert_eq!(drawn.len(), 32);
        assert_eq!(of(one.path()).unwrap(), drawn);
        assert_ne!(of(other.path()).unwrap(), drawn);
        // One that was cut off is drawn anew.
        fs::write(one.path().join(FILE), "").unwrap();
        assert_ne!(of(one.path()).unwrap(), drawn);
    }
}
