//! The control plane, one noun per file: what the API's operations do, whoever carries them here.
//!
//! `http` reads requests and writes answers; the rules are here. Calls are reached only through the
//! node's desk, media never.

pub mod access;
pub mod accounts;
pub mod attendees;
pub mod audit;
pub mod connector_groups;
pub mod connectors;
pub mod domains;
pub mod inventory;
mod kept;
pub mod logs;
pub mod meetings;
pub mod metrics;
pub mod numbers;
mod place;
mod refusal;
pub mod rooms;
pub mod settings;
pub mod tags;
pub mod users;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

pub use access::{Caller, Context};
pub use inventory::Inventory;
pub use meetings::Directory;
pub use place::Place;
pub use refusal::Refusal;

use crate::node::desk::Handle;
use crate::node::names::Names;
use crate::objects::Objects;
use crate::record::figures::Figures;
use crate::record::logs::Logs;
use crate::store::{Deployment, Document, Store};

/// All that the operations work on. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Control {
    /// What outlives the process.
    pub store: Store,
    /// Where objects are kept.
    pub objects: Objects,
    /// The way to the calls.
    pub desk: Handle,
    /// Who we are.
    pub deployment: Deployment,
    /// Where we are reached.
    pub place: Place,
    /// Attendees who are in one meeting at once, at most.
    pub max_attendees: usize,
    /// Who is asked for the records that prove domains.
    pub(crate) names: Names,
    /// When they are asked without anybody's request.
    pub domain_checks: domains::DomainChecks,
    /// The numbers that can be ordered.
    pub inventory: Arc<Inventory>,
    /// What page tokens are signed with.
    pub page_key: Arc<str>,
    /// How fast each user and role may ask.
    pub pace: Arc<access::Pace>,
    /// Whose keys' use is being noted.
    pub noting: Arc<access::Noting>,
    /// What was logged of calls.
    pub logs: Logs,
    /// What was measured of connectors.
    pub figures: Figures,
    /// Where it is written down what was asked.
    pub trail: audit::Trail,
}

impl Control {
    /// Changes a document that is kept of `what`, and returns it as it is then.
    async fn change_document(
        &self,
        document: Document,
        of: &str,
        what: &'static str,
        change: impl FnOnce(Value) -> Result<Value, Refusal>,
    ) -> Result<Value, Refusal> {
        let changed = self.store.change_document(document, of, change).await?;
        changed.ok_or(Refusal::NotFound(what))?
    }
}

/// The time, ms since the epoch.
#[must_use]
pub fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
