//! What the store promises as a whole, on either database: `testing` runs these on both.

use super::*;

#[tokio::test]
async fn the_first_start_decides_and_later_ones_agree() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path()).await.unwrap();
    let first = store.deployment(None, 1).await.unwrap();
    store.close().await;
    let again = Store::open(data.path()).await.unwrap();
    assert_eq!(again.deployment(None, 2).await.unwrap(), first);
    assert_eq!(
        again.deployment(Some(&first.account_id), 3).await.unwrap(),
        first
    );
    let other = again.deployment(Some("000000000001"), 4).await.unwrap_err();
    assert!(matches!(other, StoreError::OtherAccount { stored } if stored == first.account_id));
}

#[tokio::test]
async fn the_database_is_for_its_owner_and_its_folder_may_have_any_name() {
    use std::os::unix::fs::PermissionsExt;
    let data = tempfile::tempdir().unwrap();
    let odd = data.path().join("50% of #data? ü");
    std::fs::create_dir(&odd).unwrap();
    let (file, key) = (Database::DataFolder, KeySource::DataFolder);
    let store = Store::open_with(&odd, &file, &key).await.unwrap();
    store.deployment(None, 1).await.unwrap();
    let mode = std::fs::metadata(odd.join("campanile.db"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// Two servers on one database: each has connections of its own.
pub(super) async fn two_servers() -> (tempfile::TempDir, Store, Store) {
    let data = tempfile::tempdir().unwrap();
    let one = Store::open(data.path()).await.unwrap();
    let other = Store::open(data.path()).await.unwrap();
    (data, one, other)
}

/// Does the same ten times at once, half of it on each server.
pub(super) async fn ten_at_once<T, F>(
    one: &Store,
    other: &Store,
    what: impl Fn(Store, i64) -> F,
) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let tasks: Vec<_> = (0..10)
        .map(|number| {
            let store = if number % 2 == 0 { one } else { other };
            tokio::spawn(what(store.clone(), number))
        })
        .collect();
    let mut done = Vec::new();
    for task in tasks {
        done.push(task.await.unwrap());
    }
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_ten_who_order_one_number_or_take_one_name_at_once_one_has_it() {
    let (_data, one, other) = two_servers().await;
    let owner = "123456789012";
    let orders = ten_at_once(&one, &other, |store, now| async move {
        let wishes = [Wish {
            e164: "+12065550100".to_owned(),
            country: Some("US".to_owned()),
            number_type: "Local".to_owned(),
        }];
        let order = store.order_numbers(owner, "VoiceConnector", None, &wishes, now);
        order.await.unwrap().status
    });
    let orders = orders.await;
    let had = orders.iter().filter(|status| *status == "Successful");
    assert_eq!((had.count(), orders.len()), (1, 10), "{orders:?}");

    let none = serde_json::json!({});
    let account = one.create_account(owner, "a", &none, 1);
    let account = account.await.unwrap().account_id;
    let users = ten_at_once(&one, &other, |store, now| {
        let account = account.clone();
        async move {
            let asked = NewUser {
                email: Some("Ada@Example.org".to_owned()),
                display_name: None,
                user_type: "PrivateUser".to_owned(),
                license_type: "Pro".to_owned(),
                invited: false,
            };
            store.create_user(&account, &asked, now).await.unwrap()
        }
    });
    assert_eq!(users.await.iter().flatten().count(), 1);

    let made = ten_at_once(&one, &other, |store, now| async move {
        let wish = Some("222222222222");
        store.create_owner_account(wish, "x", now).await.unwrap()
    });
    assert_eq!(made.await.iter().flatten().count(), 1);

    let keys = ten_at_once(&one, &other, |store, now| async move {
        let made = store.create_access_key("222222222222", "administrator", now);
        made.await.unwrap().is_ok()
    });
    // The first one came with the account; a user has two at most.
    assert_eq!(keys.await.iter().filter(|made| **made).count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_read_before_it_is_written_stays_true_beside_writes_of_one_statement() {
    let (_data, one, other) = two_servers().await;
    let owner = "123456789012";
    for round in 0..20 {
        let asked = asked_connector();
        let connector = one.create_connector(owner, asked, round).await.unwrap();
        let id = connector.unwrap().voice_connector_id;
        let e164 = format!("+1206555{round:04}");
        let wishes = [Wish {
            e164: e164.clone(),
            country: Some("US".to_owned()),
            number_type: "Local".to_owned(),
        }];
        let order = one.order_numbers(owner, "VoiceConnector", None, &wishes, round);
        order.await.unwrap();
        let deleting = tokio::spawn({
            let (store, id) = (one.clone(), id.clone());
            async move { store.delete_connector(owner, &id).await.unwrap() }
        });
        let to = Assignment {
            to: "VoiceConnectorId",
            value: id.clone(),
            account: None,
        };
        let assigned = other.assign_number(owner, &e164, &to, false, round).await;
        let deleted = deleting.await.unwrap();
        let there = one.connector(owner, &id).await.unwrap().is_some();
        assert_eq!(assigned.unwrap(), there);
        assert_eq!(deleted.is_ok(), !there);
    }
}

#[tokio::test]
async fn lists_are_in_the_order_of_octets() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path()).await.unwrap();
    let owner = "123456789012";
    let asked = asked_connector();
    let id = store.create_connector(owner, asked, 1).await.unwrap();
    let id = id.unwrap().voice_connector_id;
    // People, and most databases by themselves, would sort these otherwise.
    let mut names = [
        "ada", "Ada", "ADA", "Zoe", "_", "-a", "a-", "ab", "A", "b", "é", "Ž", "z", "王", "🎈",
        "10", "9",
    ];
    let credentials: Vec<(String, Secret)> = names
        .iter()
        .map(|name| ((*name).to_owned(), Secret::new("x".to_owned())))
        .collect();
    store.put_credentials(&id, &credentials).await.unwrap();
    names.sort_unstable();
    assert_eq!(store.credential_names(&id).await.unwrap(), names);
    let none = serde_json::json!({});
    let account = store.create_account(owner, "a", &none, 1);
    let account = account.await.unwrap().account_id;
    let room = store.create_room(&account, "r", "arn", None, 1, 9).await;
    let room = room.unwrap().unwrap().room_id;
    let mut members = Vec::new();
    for name in names {
        let asked = NewUser {
            email: None,
            display_name: Some(format!("{name} Größe")),
            user_type: "PrivateUser".to_owned(),
            license_type: "Pro".to_owned(),
            invited: false,
        };
        let user = store.create_user(&account, &asked, 7).await.unwrap();
        let user = user.unwrap().user_id;
        store
            .add_member(&room, &user, "Member", ("arn", 1), 99)
            .await
            .unwrap()
            .unwrap();
        members.push(user);
    }
    members.sort_unstable();
    let mut page = Page::first(3);
    let mut listed = Vec::new();
    loop {
        let part = store.members(&room, &page).await.unwrap();
        listed.extend(part.items.into_iter().map(|member| member.member_id));
        let Some(after) = part.next else { break };
        page.after = after;
    }
    assert_eq!(listed, members);
}

#[tokio::test]
async fn a_text_that_a_database_cannot_keep_is_the_askers_fault() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path()).await.unwrap();
    match store.access_key("AKIA\0").await {
        Ok(found) => assert!(found.is_none()),
        Err(error) => assert!(error.is_of_text() && !error.is_passing(), "{error}"),
    }
    assert!(store.access_key("AKIA").await.unwrap().is_none());
}

#[tokio::test]
async fn a_store_that_is_closed_is_unavailable_and_a_damaged_document_is_not() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path()).await.unwrap();
    store.set("1", "a", &serde_json::json!({})).await.unwrap();
    sqlx::query("UPDATE settings SET document = '{'")
        .execute(&store.pool)
        .await
        .unwrap();
    assert!(!store.setting("1", "a").await.unwrap_err().is_passing());
    store.close().await;
    assert!(store.setting("1", "a").await.unwrap_err().is_passing());
}

#[test]
fn codes_of_both_databases_say_whether_another_try_may_do() {
    // PostgreSQL's appendix A; SQLite's result codes, the extended BUSY_SNAPSHOT (517) among them.
    for code in [
        "08006", "57P01", "57P03", "53300", "55P03", "40001", "40P01", "5", "6", "517",
    ] {
        assert!(passing(code), "{code}");
    }
    for code in [
        "23505", "22021", "42P01", "28P01", "1", "11", "1555", "2067", "",
    ] {
        assert!(!passing(code), "{code}");
    }
}

pub(super) fn asked_connector() -> NewVoiceConnector {
    NewVoiceConnector {
        name: "c".to_owned(),
        aws_region: "us-east-1".to_owned(),
        require_encryption: true,
        integration_type: None,
        network_type: "IPV4_ONLY".to_owned(),
        tags: "[]".to_owned(),
    }
}

/// The owner, an account and a user of it.
pub(super) async fn account_with_user(store: &Store) -> (String, String) {
    let none = serde_json::json!({});
    let account = store.create_account("123456789012", "a", &none, 1);
    let account = account.await.unwrap().account_id;
    let asked = NewUser {
        email: None,
        display_name: None,
        user_type: "PrivateUser".to_owned(),
        license_type: "Pro".to_owned(),
        invited: false,
    };
    let user = store.create_user(&account, &asked, 7).await.unwrap();
    (account, user.unwrap().user_id)
}

#[tokio::test]
async fn rooms_and_their_members_are_so_many_at_most() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path()).await.unwrap();
    let (account, user) = account_with_user(&store).await;
    let make = async |token| {
        let made = store.create_room(&account, "r", "arn", token, 1, 2).await;
        made.unwrap().map(|room| room.room_id)
    };
    let room = make(Some("t")).await.unwrap();
    assert!(make(None).await.is_some());
    assert_eq!(make(None).await, None);
    assert_eq!(
        make(Some("t")).await,
        Some(room.clone()),
        "it is there already"
    );
    let add = async |most| {
        let added = store.add_member(&room, &user, "Member", ("arn", 1), most);
        added.await.unwrap()
    };
    assert_eq!(add(0).await, Err(NoNewMember::Full));
    assert_eq!(add(1).await, Ok(()));
    assert_eq!(add(1).await, Err(NoNewMember::Known));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_ten_at_once_who_change_a_part_of_a_document_none_is_undone() {
    let data = tempfile::tempdir().unwrap();
    let one = Store::open(data.path()).await.unwrap();
    // Of another server, where the database is one that several share.
    let other = Store::open(data.path()).await.unwrap();
    let (account, _) = account_with_user(&one).await;
    for document in [
        Document::Setting("Test"),
        Document::Account(AccountField::Settings),
    ] {
        let tasks: Vec<_> = (0..10)
            .map(|number| {
                let store = if number % 2 == 0 {
                    one.clone()
                } else {
                    other.clone()
                };
                let account = account.clone();
                tokio::spawn(async move {
                    let add = |mut value: serde_json::Value| {
                        value[format!("k{number}")] = number.into();
                        Ok::<_, ()>(value)
                    };
                    let changed = store.change_document(document, &account, add).await;
                    changed.unwrap().unwrap().unwrap();
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let read = |value| Ok::<_, ()>(value);
        let after = one.change_document(document, &account, read).await;
        let after = after.unwrap().unwrap().unwrap();
        let kept = after.as_object().unwrap().keys();
        assert_eq!(
            kept.filter(|key| key.starts_with('k')).count(),
            10,
            "{after}"
        );
    }
    let refuse = |_| Err("no");
    let refused = one.change_document(Document::Setting("Test"), &account, refuse);
    assert_eq!(refused.await.unwrap(), Some(Err("no")));
    let keep = |value| Ok::<_, ()>(value);
    let nobody = one.change_document(Document::MeetingTags, "nobody", keep);
    assert!(nobody.await.unwrap().is_none());
}

#[tokio::test]
async fn a_user_has_one_number_and_what_is_gone_gets_none() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path()).await.unwrap();
    let (_, user) = account_with_user(&store).await;
    let owner = "123456789012";
    let numbers = ["+12065550100", "+12065550101"];
    let wishes = numbers.map(|e164| Wish {
        e164: e164.to_owned(),
        country: Some("US".to_owned()),
        number_type: "Local".to_owned(),
    });
    let order = store.order_numbers(owner, "BusinessCalling", None, &wishes, 1);
    order.await.unwrap();
    let assign = async |to, value: &str, e164: &str| {
        let assignment = Assignment {
            to,
            value: value.to_owned(),
            account: None,
        };
        let assigned = store.assign_number(owner, e164, &assignment, false, 2);
        assigned.await.unwrap()
    };
    assert!(assign("UserId", &user, numbers[0]).await);
    assert!(
        assign("UserId", &user, numbers[0]).await,
        "it is so already"
    );
    assert!(!assign("UserId", &user, numbers[1]).await);
    assert!(!assign("UserId", "gone", numbers[1]).await);
    let change = |number: &mut PhoneNumber| {
        number.product_type = "VoiceConnector".to_owned();
        Ok::<_, StoreError>(())
    };
    let changed = store.edit_number(owner, numbers[1], 2, change);
    assert!(changed.await.unwrap().is_some());
    for to in ["VoiceConnectorId", "VoiceConnectorGroupId"] {
        assert!(!assign(to, "gone", numbers[1]).await, "{to}");
    }
}

/// Twenty at once, each of which reads what is there and adds to it.
async fn twenty<F>(each: impl Fn(usize) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let tasks: Vec<_> = (0..20).map(|number| tokio::spawn(each(number))).collect();
    for task in tasks {
        task.await.unwrap();
    }
}

fn with(list: &str, number: usize) -> String {
    let mut list: Vec<usize> = serde_json::from_str(list).unwrap();
    list.push(number);
    serde_json::to_string(&list).unwrap()
}

fn all_twenty(list: &str) -> bool {
    let mut list: Vec<usize> = serde_json::from_str(list).unwrap();
    list.sort_unstable();
    list == (0..20).collect::<Vec<_>>()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_number_is_changed_by_one_at_a_time() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path()).await.unwrap();
    let owner = "123456789012";
    let wishes = [Wish {
        e164: "+12065550000".to_owned(),
        country: Some("US".to_owned()),
        number_type: "Local".to_owned(),
    }];
    store
        .order_numbers(owner, "BusinessCalling", None, &wishes, 1)
        .await
        .unwrap();
    twenty(|number| {
        let store = store.clone();
        async move {
            let changed = store.edit_number(owner, "+12065550000", 2, |it| {
                let name = it.name.take().unwrap_or_else(|| "[]".to_owned());
                it.name = Some(with(&name, number));
                Ok::<_, StoreError>(())
            });
            assert!(changed.await.unwrap().is_some());
        }
    })
    .await;
    let changed = store.number(owner, "+12065550000").await.unwrap().unwrap();
    assert!(all_twenty(changed.name.as_deref().unwrap()));
    // Who refuses changes nothing.
    let refused = store.edit_number(owner, "+12065550000", 3, |it| {
        it.name = None;
        Err(StoreError::OtherAccount {
            stored: String::new(),
        })
    });
    assert!(refused.await.is_err());
    assert_eq!(
        store.number(owner, "+12065550000").await.unwrap(),
        Some(changed)
    );
}

#[tokio::test]
async fn keys_of_one_user_are_listed_whatever_became_of_anothers() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path()).await.unwrap();
    let owner = "123456789012";
    let made = store.create_owner_account(Some(owner), "x", 1).await;
    let (_, damaged) = made.unwrap().unwrap();
    let ada = NewPrincipal::user(owner, "ada");
    let ada = store.create_principal(&ada, 2).await.unwrap();
    let ada = ada.unwrap().unwrap();
    let key = store.create_access_key(owner, "ada", 3).await.unwrap();
    let key = key.unwrap().access_key_id;
    sqlx::query("UPDATE access_keys SET secret_access_key = 'sealed:' WHERE access_key_id = $1")
        .bind(damaged.access_key_id)
        .execute(&store.pool)
        .await
        .unwrap();
    let listed = store.access_keys_of(&ada.principal_id).await.unwrap();
    let listed: Vec<String> = listed.into_iter().map(|key| key.access_key_id).collect();
    assert_eq!(listed, [key]);
    assert!(store.access_keys_of(&damaged.principal_id).await.is_err());
}
