//! That keys are in use: noted once, whoever else asks with the same key meanwhile.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::control::Control;
use crate::store::in_time;

/// The keys whose use is being noted. Writers wait in turn, so that under load each request would add one more who
/// waits, and all of them would write the same.
#[derive(Debug, Default)]
pub struct Noting(Mutex<HashSet<String>>);

impl Noting {
    /// That this key's use is being noted until what comes back is dropped; nothing if it is already.
    fn begin(self: &Arc<Self>, access_key_id: String) -> Option<Begun> {
        self.keys().insert(access_key_id.clone()).then(|| Begun {
            all: self.clone(),
            access_key_id,
        })
    }

    fn keys(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Begun {
    all: Arc<Noting>,
    access_key_id: String,
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.all.keys().remove(&self.access_key_id);
    }
}

impl Control {
    /// Notes that a key was used. Nobody waits for it: that it was is no reason to keep its owner waiting, or to fail.
    pub fn note_access_key_used(&self, access_key_id: String, now_ms: i64) {
        let Some(begun) = self.noting.begin(access_key_id) else {
            return;
        };
        let store = self.store.clone();
        tokio::spawn(async move {
            let id = &begun.access_key_id;
            if let Err(error) = in_time(store.note_access_key_used(id, now_ms))
                .await
                .flatten()
            {
                tracing::warn!(%error, "it cannot be noted that an access key was used");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_notes_a_key_and_nobody_else_until_that_is_done() {
        let noting = Arc::new(Noting::default());
        let begin = |key: &str| noting.begin(key.to_owned());
        let first = begin("a");
        assert!(first.is_some() && begin("a").is_none());
        assert!(begin("b").is_some(), "another key");
        drop(first);
        assert!(begin("a").is_some());
    }
}
