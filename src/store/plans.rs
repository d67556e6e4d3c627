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
    for (filter, _) in number_filters() {
        store.numbers(OWNER, &filter, &page).await.unwrap();
    }
    store.number_orders(OWNER, &page).await.unwrap();
    store.domains_to_check(1, 10, |_| None).await.unwrap();
    store.taken_between("+1", "+2").await.unwrap();
    store.connectors(OWNER, &page).await.unwrap();
    store.groups(OWNER, &page).await.unwrap();
    store.attendees("m", &page).await.unwrap();
    store.running_meetings(OWNER, &page).await.unwrap();
    store.held_meetings("server").await.unwrap();
    store.access_keys(OWNER).await.unwrap();
    store.access_keys_of("AIDA").await.unwrap();
    store.owner_account(OWNER).await.unwrap();
    store.connector_ids(OWNER).await.unwrap();
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

/// Filters of phone numbers, and the index that has what each lists and nothing else.
fn number_filters() -> Vec<(NumberFilter, &'static str)> {
    let of = |deleted, assigned, product: Option<&str>| NumberFilter {
        deleted,
        assigned,
        product_type: product.map(str::to_owned),
        assignment: None,
    };
    let assigned_to = |to: &str, assigned| NumberFilter {
        assignment: Some((to.to_owned(), "x".to_owned())),
        ..of(false, assigned, None)
    };
    let product = Some("VoiceConnector");
    vec![
        (of(false, None, None), "listed (owner=? AND e164>?)"),
        (of(false, Some(true), None), "assigned (owner=? AND e164>?)"),
        (of(false, Some(false), None), "free (owner=? AND e164>?)"),
        (of(true, None, None), "deleted (owner=? AND e164>?)"),
        (
            of(false, None, product),
            "by_product (owner=? AND product_type=? AND e164>?)",
        ),
        (
            of(false, Some(true), product),
            "assigned_by_product (owner=? AND product_type=? AND e164>?)",
        ),
        (
            of(false, Some(false), product),
            "free_by_product (owner=? AND product_type=? AND e164>?)",
        ),
        (
            of(true, None, product),
            "deleted_by_product (owner=? AND product_type=? AND e164>?)",
        ),
        (
            assigned_to("AccountId", Some(true)),
            "by_account (assigned_account=? AND e164>?)",
        ),
        (
            assigned_to("UserId", None),
            "by_assignment (assigned_value=? AND assigned_to=? AND e164>?)",
        ),
        (
            assigned_to("VoiceConnectorId", None),
            "by_assignment (assigned_value=? AND assigned_to=? AND e164>?)",
        ),
    ]
}

/// Numbers of all kinds, and what each filter lists of them page by page, is what is found by looking at each; and the
/// database looks at no others.
#[tokio::test]
async fn a_filter_of_numbers_lists_what_it_says_by_an_index_of_its_own() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path()).await.unwrap();
    for number in 0..60 {
        let product = ["VoiceConnector", "BusinessCalling"][number % 2];
        let wish = Wish {
            e164: format!("+1206555{number:04}"),
            country: Some("US".to_owned()),
            number_type: "Local".to_owned(),
        };
        let e164 = wish.e164.clone();
        store
            .order_numbers(OWNER, product, None, &[wish], 1)
            .await
            .unwrap();
        match number / 2 % 3 {
            0 => {
                let (to, value, account) = match number % 2 {
                    0 => ("VoiceConnectorId", "x".to_owned(), None),
                    _ => ("UserId", format!("u{number}"), Some("x")),
                };
                sqlx::query(
                    "UPDATE phone_numbers SET assigned_to = $1, assigned_value = $2, assigned_account = $3 \
                     WHERE e164 = $4",
                )
                .bind(to)
                .bind(value)
                .bind(account)
                .bind(e164)
                .execute(&store.pool)
                .await
                .unwrap();
            }
            1 => assert!(store.delete_number(OWNER, &e164, 2).await.unwrap()),
            _ => {}
        }
    }
    let all = {
        let mut all = Vec::new();
        for number in 0..60 {
            all.push(
                store
                    .number(OWNER, &format!("+1206555{number:04}"))
                    .await
                    .unwrap()
                    .unwrap(),
            );
        }
        all
    };
    for (filter, index) in number_filters() {
        let fits = |number: &&PhoneNumber| {
            let assignment = filter.assignment.as_ref().is_none_or(|(to, value)| {
                let (has, of) = if to == "AccountId" {
                    (number.assigned_to.is_some(), &number.assigned_account)
                } else {
                    (
                        number.assigned_to.as_ref() == Some(to),
                        &number.assigned_value,
                    )
                };
                has && of.as_ref() == Some(value)
            });
            number.deleted_ms.is_some() == filter.deleted
                && filter
                    .assigned
                    .is_none_or(|it| it == number.assigned_to.is_some())
                && filter
                    .product_type
                    .as_ref()
                    .is_none_or(|it| *it == number.product_type)
                && assignment
        };
        let expected: Vec<&str> = all.iter().filter(fits).map(|it| it.e164.as_str()).collect();
        let mut listed = Vec::new();
        let mut page = Page::first(4);
        loop {
            let part = store.numbers(OWNER, &filter, &page).await.unwrap();
            listed.extend(part.items.into_iter().map(|number| number.e164));
            match part.next {
                Some(after) => page.after = after,
                None => break,
            }
        }
        assert_eq!(listed, expected, "{filter:?}");
        if std::env::var_os(postgres::DATABASE).is_none() {
            let sql = numbers::listing(&filter).unwrap().0;
            let plan = sqlx::query(sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")))
                .fetch_all(&store.pool)
                .await
                .unwrap();
            let steps: Vec<String> = plan.iter().map(|row| row.get(3)).collect();
            let step = format!("SEARCH phone_numbers USING INDEX phone_numbers_{index}");
            assert_eq!(steps, [step], "{filter:?}");
        }
    }
    // What can be nobody's is not looked for.
    for (deleted, assigned, product) in [
        (true, None, None),
        (false, Some(false), None),
        (false, None, Some("BusinessCalling")),
    ] {
        let filter = NumberFilter {
            deleted,
            assigned,
            product_type: product.map(str::to_owned),
            assignment: Some(("VoiceConnectorId".to_owned(), "x".to_owned())),
        };
        assert!(numbers::listing(&filter).is_none(), "{filter:?}");
    }
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
