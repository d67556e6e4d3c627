//! A trail for tests of what goes into it.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Entry, Identity, Settings, Trail, seconds};
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

/// Somebody's call that changed something.
pub(super) fn entry(name: &str, account: &str, at_ms: i64, event_id: String) -> Entry {
    Entry {
        event_version: Entry::VERSION.to_owned(),
        user_identity: Identity::unknown(None),
        event_time: seconds(at_ms),
        event_source: "chime.amazonaws.com".to_owned(),
        event_name: name.to_owned(),
        aws_region: "us-east-1".to_owned(),
        source_ip_address: "192.0.2.1".to_owned(),
        user_agent: "test".to_owned(),
        error_code: None,
        error_message: None,
        request_parameters: json!({"accountId": "a"}),
        response_elements: Value::Null,
        request_id: "r".to_owned(),
        event_id,
        read_only: false,
        resources: Vec::new(),
        event_type: "AwsApiCall".to_owned(),
        management_event: true,
        recipient_account_id: account.to_owned(),
        event_category: "Management".to_owned(),
    }
}
