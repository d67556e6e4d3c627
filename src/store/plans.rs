//! What SQLite does for each list and look-up: never more than walk an index to where the answer lies.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use sqlx::Row;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use super::*;
use crate::support::postgres;

/// The statements that went to the database, whoever sent them.
#[derive(Clone, Default)]
struct Statements(Arc<Mutex<BTreeSet<String>>>);

impl<S: Subscriber> Layer<S> for Statements {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            event.record(&mut self.clone());
        }
    }
}

impl Visit for Statements {
    fn record_str(&mut self, field: &Field, value: &str) {
        // A long statement has a short summary, which ends with an ellipsis, and a short one nothing else.
        let whole = field.name() == "db.statement" || field.name() == "summary";
        if whole && !value.is_empty() && !value.ends_with('…') {
            self.0.lock().unwrap().insert(value.trim().to_owned());
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

const OWNER: &str = "123456789012";

/// Every list with every filter, and every look-up of calls and signatures.
async fn ask_for_all(store: &Store) {
    let page = Page::first(10);
    for (name, email) in [
        (None, None),
        (Some("x"), None),
        (None, Some("a@b.c")),
        (Some("x"), Some("a@b.c")),
    ] {
        store.accounts(OWNER, name, email, &page).await.unwrap();
    }
    for (email, kind) in [
        (None, None),
        (Some("a@b.c"), None),
        (None, Some("SharedDevice")),
    ] {
        store.users("a", email, kind, &page).await.unwrap();
    }
    for member in [None, Some("u")] {
        store.rooms("a", member, &page).await.unwrap();
    }
    store.members("r", &page).await.unwrap();
    let plain = NumberFilter::default();
    for filter in [
        plain.clone(),
        NumberFilter {
            deleted: true,
            ..plain.clone()
        },
        NumberFilter {
            assigned: Some(false),
            ..plain.clone()
        },
        NumberFilter {
            assigned: Some(true),
            ..plain.clone()
        },
        NumberFilter {
            product_type: Some("VoiceConnector".to_owned()),
            ..plain.clone()
        },
        NumberFilter {
            assignment: Some(("AccountId".to_owned(), "a".to_owned())),
            ..plain.clone()
        },
        NumberFilter {
            assignment: Some(("VoiceConnectorId".to_owned(), "a".to_owned())),
            ..plain
        },
    ] {
        store.numbers(OWNER, &filter, &page).await.unwrap();
    }
    store.number_orders(OWNER, &page).await.unwrap();
    store.taken_between("+1", "+2").await.unwrap();
    store.connectors(OWNER, &page).await.unwrap();
    store.groups(OWNER, &page).await.unwrap();
    store.attendees("m", &page).await.unwrap();
    store.running_meetings(OWNER, 10).await.unwrap();
    store.access_keys(OWNER).await.unwrap();
    store.principals(OWNER, PrincipalKind::User).await.unwrap();
    store.meeting("m").await.unwrap();
    store.meeting_by_pin("1234567890").await.unwrap();
    store.attendee_by_token("t").await.unwrap();
    store.attendee_by_suffix("m", "123").await.unwrap();
    store.attendee("m", "a").await.unwrap();
    store.user("a", "u").await.unwrap();
    store.number(OWNER, "+1").await.unwrap();
    store.access_key("AKIA").await.unwrap();
    store.session("ASIA").await.unwrap();
    store.policies_of("AIDA").await.unwrap();
    store.release_numbers(1).await.unwrap();
}

#[tokio::test]
async fn no_list_or_look_up_walks_through_a_table_or_sorts_it() {
    if std::env::var_os(postgres::DATABASE).is_some() {
        return;
    }
    let statements = Statements::default();
    let seen = tracing_subscriber::registry().with(statements.clone());
    // SQLite's connections have threads of their own, so it must be everybody's.
    let Ok(()) = tracing::subscriber::set_global_default(seen) else {
        panic!("the log is taken: this test wants a process of its own");
    };
    let data = tempfile::tempdir().unwrap();
    let (file, key) = (Database::DataFolder, KeySource::DataFolder);
    let store = Store::open_with(data.path(), &file, &key).await.unwrap();
    statements.0.lock().unwrap().clear();
    ask_for_all(&store).await;
    let asked: Vec<String> = statements.0.lock().unwrap().iter().cloned().collect();
    let asked: Vec<&String> = asked
        .iter()
        .filter(|sql| {
            ["SELECT", "DELETE"]
                .iter()
                .any(|word| sql.starts_with(word))
        })
        // What the start asks once.
        .filter(|sql| !sql.contains("_found_by IS NULL") && !sql.contains("FROM _sqlx"))
        .collect();
    assert!(asked.len() >= 35, "{asked:#?}");
    let mut bad = Vec::new();
    for sql in asked {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")))
            .fetch_all(&store.pool)
            .await
            .unwrap();
        for row in rows {
            let step: String = row.get(3);
            // Things of the same millisecond are put in order among themselves.
            let sorts = step.contains("TEMP B-TREE") && !step.contains("LAST TERM");
            if step.contains("SCAN") || sorts {
                bad.push(format!("{step}: {sql}"));
            }
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
}
