//! A trail for tests of what goes into it.

use std::path::Path;
use std::time::Duration;

use super::{Settings, Trail};
use crate::store::Store;

/// A trail in that folder, whose objects nobody looks at.
pub(crate) fn trail(store: &Store, data: &Path) -> Trail {
    let objects = crate::objects::tests::folders(data);
    let (trail, _) = Trail::start(data, settings(), store.clone(), objects).unwrap();
    trail
}

pub(super) fn settings() -> Settings {
    Settings {
        region: "us-east-1".to_owned(),
        bucket: "records".to_owned(),
        batch: Duration::from_secs(300),
    }
}
