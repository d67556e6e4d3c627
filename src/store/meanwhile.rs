//! What was looked at before a writer's turn may be otherwise by then: the store looks again, and says what it found.

use super::attendees::tests::asked as attendee;
use super::meetings::tests::asked as meeting;
use super::tests::{account_with_user, asked_connector, ten_at_once, two_servers};
use super::*;

const OWNER: &str = "123456789012";

/// A store of its own, and the folder that it lives in.
async fn store() -> (tempfile::TempDir, Store) {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path()).await.unwrap();
    (data, store)
}

async fn order(store: &Store, product: &str, e164: &str) {
    let wishes = [Wish {
        e164: e164.to_owned(),
        country: Some("US".to_owned()),
        number_type: "Local".to_owned(),
    }];
    let order = store.order_numbers(OWNER, product, None, &wishes, 1).await;
    assert_eq!(order.unwrap().status, "Successful");
}

async fn connector(store: &Store) -> VoiceConnector {
    let made = store.create_connector(OWNER, asked_connector(), 1).await;
    made.unwrap().unwrap()
}

async fn user_of(store: &Store, account: &str, invited: bool) -> String {
    let asked = NewUser {
        email: None,
        display_name: None,
        user_type: "PrivateUser".to_owned(),
        license_type: "Pro".to_owned(),
        invited,
    };
    let made = store.create_user(account, &asked, 1).await.unwrap();
    made.unwrap().user_id
}

fn on_connector(id: &str) -> Assignment {
    Assignment {
        to: "VoiceConnectorId",
        value: id.to_owned(),
        account: None,
    }
}

fn of_user(user: &str, account: &str) -> Assignment {
    Assignment {
        to: "UserId",
        value: user.to_owned(),
        account: Some(account.to_owned()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_number_is_assigned_to_nothing_that_its_product_is_not_for() {
    let (_data, one, other) = two_servers().await;
    let trunk = connector(&one).await.voice_connector_id;
    let (account, user) = account_with_user(&one).await;
    order(&one, "BusinessCalling", "+12065550100").await;
    for force in [false, true] {
        let to = on_connector(&trunk);
        let assigned = one
            .assign_number(OWNER, "+12065550100", &to, force, 2)
            .await;
        assert!(!assigned.unwrap(), "{force}");
    }
    let to = of_user(&user, &account);
    let assigned = one.assign_number(OWNER, "+12065550100", &to, false, 2);
    assert!(assigned.await.unwrap());

    // One gives it another product as long as it is free, and one assigns it.
    for round in 0..20 {
        let e164 = format!("+1206555{:04}", 200 + round);
        order(&one, "VoiceConnector", &e164).await;
        let changing = tokio::spawn({
            let (store, e164) = (one.clone(), e164.clone());
            async move {
                let changed = store.edit_number(OWNER, &e164, 3, |number| {
                    if number.assigned_to.is_none() {
                        number.product_type = "BusinessCalling".to_owned();
                    }
                    Ok::<_, StoreError>(())
                });
                changed.await.unwrap().unwrap()
            }
        });
        let to = on_connector(&trunk);
        let assigned = other.assign_number(OWNER, &e164, &to, false, 3).await;
        changing.await.unwrap();
        let number = one.number(OWNER, &e164).await.unwrap().unwrap();
        let is_assigned = number.assigned_to.is_some();
        assert_eq!(assigned.unwrap(), is_assigned);
        assert_eq!(number.product_type == "VoiceConnector", is_assigned);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_meeting_has_so_many_attendees_at_most_and_none_anew_after_its_end() {
    let (_data, one, other) = two_servers().await;
    let first = [attendee("ada")];
    let (made, _) = one.create_meeting(meeting("t"), &first, 1).await.unwrap();
    let id = made.meeting_id;
    one.fill_meeting(&id, 3).await;
    let tried = ten_at_once(&one, &other, |store, number| {
        let id = id.clone();
        async move {
            let asked = attendee(&format!("late {number}"));
            let made = store.create_attendee(&id, &asked, 2).await.unwrap();
            made.map(|made| made.attendee_id)
        }
    });
    let tried = tried.await;
    let full = tried.iter().filter(|it| **it == Err(NoNewAttendee::Full));
    assert_eq!((full.count(), tried.len()), (7, 10));
    let again = one.create_attendee(&id, &attendee("ada"), 3).await.unwrap();
    assert!(again.is_ok(), "she is in it already");
    // A repeated request for a meeting finds whom it made, and no place for others.
    let more = [attendee("ada"), attendee("eve")];
    let (_, repeated) = one.create_meeting(meeting("t"), &more, 3).await.unwrap();
    let repeated = repeated.into_iter().map(|it| it.map(|it| it.attendee_id));
    assert_eq!(
        repeated.collect::<Vec<_>>(),
        [again.map(|it| it.attendee_id), Err(NoNewAttendee::Full)]
    );
    let gone = tried.into_iter().find_map(Result::ok).unwrap();
    one.remove_attendee(&gone, 4).await.unwrap();
    let next = one.create_attendee(&id, &attendee("eve"), 5).await.unwrap();
    assert!(next.is_ok(), "there is a place again");

    assert!(other.end_meeting(&id, 6).await.unwrap());
    for name in ["ada", "new"] {
        let late = one.create_attendee(&id, &attendee(name), 7).await.unwrap();
        assert_eq!(late.unwrap_err(), NoNewAttendee::Ended, "{name}");
    }
}

#[tokio::test]
async fn a_user_who_was_removed_is_taken_into_no_room() {
    let (_data, store) = store().await;
    let (account, user) = account_with_user(&store).await;
    let room = store.create_room(&account, "r", "arn", None, 1, 9).await;
    let room = room.unwrap().unwrap().room_id;
    assert!(store.suspend_user(&account, &user, 2).await.unwrap());
    let added = store.add_member(&room, &user, "Member", ("arn", 3), 1);
    assert_eq!(added.await.unwrap(), Err(NoNewMember::Unknown));
    let other = user_of(&store, &account, false).await;
    let added = store.add_member(&room, &other, "Member", ("arn", 3), 1);
    assert_eq!(added.await.unwrap(), Ok(()), "nobody took the only place");
}

#[tokio::test]
async fn who_is_suspended_is_signed_out_with_it_and_who_is_in_a_team_let_go() {
    let (_data, store) = store().await;
    let (account, leaving) = account_with_user(&store).await;
    let staying = user_of(&store, &account, false).await;
    let invited = user_of(&store, &account, true).await;
    order(&store, "BusinessCalling", "+12065550100").await;
    let to = of_user(&leaving, &account);
    let assigned = store.assign_number(OWNER, "+12065550100", &to, false, 2);
    assert!(assigned.await.unwrap());
    let user = async |id: &str| store.user(&account, id).await.unwrap();

    assert!(store.suspend_user(&account, &leaving, 3).await.unwrap());
    assert_eq!(user(&leaving).await, None);
    let number = store.number(OWNER, "+12065550100").await.unwrap();
    assert_eq!(number.unwrap().assigned_to, None);
    assert!(!store.suspend_user(&account, &leaving, 4).await.unwrap());

    // Somebody still sees a team, and a domain has made an enterprise of it.
    let claimed = store.claim_domain(&account, "a.test", 9, 5, 9).await;
    assert!(claimed.unwrap().is_some());
    assert!(store.verify_domain(&account, "a.test", 5).await.unwrap());
    for id in [&staying, &invited] {
        assert!(store.suspend_user(&account, id, 6).await.unwrap());
        let suspended = user(id).await.unwrap();
        assert_eq!(suspended.registration_status, "Suspended");
        assert_eq!(suspended.logged_out_ms, Some(6));
    }
    for (id, status) in [(&staying, "Registered"), (&invited, "Unregistered")] {
        assert!(store.unsuspend_user(&account, id).await.unwrap());
        assert_eq!(user(id).await.unwrap().registration_status, status);
        assert!(!store.unsuspend_user(&account, id).await.unwrap());
    }
    for elsewhere in [
        store.suspend_user("another", &staying, 7).await,
        store.unsuspend_user("another", &staying).await,
    ] {
        assert!(!elsewhere.unwrap());
    }
}

#[tokio::test]
async fn an_enterprise_goes_with_its_users_and_what_is_others_stays() {
    let (_data, store) = store().await;
    let (account, ada) = account_with_user(&store).await;
    let (other, eve) = account_with_user(&store).await;
    let room = store.create_room(&other, "r", "arn", None, 1, 9).await;
    let room = room.unwrap().unwrap().room_id;
    for (user, of, e164) in [
        (&ada, &account, "+12065550100"),
        (&eve, &other, "+12065550101"),
    ] {
        order(&store, "BusinessCalling", e164).await;
        let to = of_user(user, of);
        let assigned = store.assign_number(OWNER, e164, &to, false, 2);
        assert!(assigned.await.unwrap());
        let added = store.add_member(&room, user, "Member", ("arn", 2), 9);
        added.await.unwrap().unwrap();
    }
    assert!(!store.delete_account(&account, 3).await.unwrap(), "a team");
    let claimed = store.claim_domain(&account, "a.test", 9, 4, 9).await;
    assert!(claimed.unwrap().is_some());
    assert!(store.verify_domain(&account, "a.test", 4).await.unwrap());
    assert!(
        !store.delete_account(&account, 5).await.unwrap(),
        "a domain"
    );
    let removed = store.remove_domain(&account, "a.test", 6).await.unwrap();
    assert!(removed.is_some());
    assert!(store.delete_account(&account, 7).await.unwrap());

    assert_eq!(store.user(&account, &ada).await.unwrap(), None);
    assert!(store.user(&other, &eve).await.unwrap().is_some());
    let rows: Vec<(String,)> = sqlx::query_as("SELECT member_id FROM room_memberships")
        .fetch_all(&store.pool)
        .await
        .unwrap();
    assert_eq!(rows, [(eve.clone(),)]);
    let number = async |e164| store.number(OWNER, e164).await.unwrap().unwrap();
    let free = number("+12065550100").await;
    assert_eq!((free.assigned_to, free.assigned_value), (None, None));
    assert_eq!((free.assigned_account, free.updated_ms), (None, 7));
    assert_eq!(number("+12065550101").await.assigned_value, Some(eve));
}

#[tokio::test]
async fn what_nobody_said_of_a_group_stays_as_another_set_it() {
    let (_data, store) = store().await;
    let trunk = connector(&store).await.voice_connector_id;
    let asked = AskedGroup {
        name: "g",
        items: "[]",
        members: &[],
        distribution: None,
    };
    let made = store.create_group(OWNER, &asked, 1).await.unwrap();
    let made = made.unwrap().unwrap();
    let id = made.voice_connector_group_id.as_str();
    assert_eq!(made.distribution, "PriorityWeightedDistribution");
    let rotate = AskedGroup {
        distribution: Some("RotateDistribution"),
        ..asked
    };
    let updated = store.update_group(OWNER, id, &rotate, 2).await.unwrap();
    assert_eq!(updated.unwrap().distribution, "RotateDistribution");
    let members = [trunk];
    let items = format!("[{{\"VoiceConnectorId\":\"{}\"}}]", members[0]);
    let renamed = AskedGroup {
        name: "h",
        items: &items,
        members: &members,
        ..asked
    };
    let updated = store.update_group(OWNER, id, &renamed, 3).await.unwrap();
    let updated = updated.unwrap();
    assert_eq!(
        (
            updated.name.as_str(),
            updated.items.as_str(),
            updated.distribution.as_str()
        ),
        ("h", items.as_str(), "RotateDistribution")
    );
    assert_eq!((updated.created_ms, updated.updated_ms), (1, 3));
    assert_eq!(store.group(OWNER, id).await.unwrap(), Some(updated));

    let none = ["gone".to_owned()];
    let with_gone = AskedGroup {
        members: &none,
        ..asked
    };
    let strange = store.update_group(OWNER, id, &with_gone, 4).await.unwrap();
    assert_eq!(strange, None);
    let strange = store.create_group(OWNER, &with_gone, 4).await.unwrap();
    assert_eq!(strange, Ok(None));
    let gone = store.update_group(OWNER, "gone", &asked, 4).await.unwrap();
    assert_eq!(gone, None);
}

#[tokio::test]
async fn what_is_gone_is_not_said_to_be_changed() {
    let (_data, store) = store().await;
    let made = connector(&store).await;
    let id = made.voice_connector_id.as_str();
    let update = async |owner| {
        let updated = store.update_connector(owner, id, ("d", false), 2).await;
        updated.unwrap()
    };
    let updated = update(OWNER).await.unwrap();
    assert_eq!(
        (updated.name.as_str(), updated.require_encryption),
        ("d", 0)
    );
    assert_eq!(store.connector(OWNER, id).await.unwrap(), Some(updated));
    assert_eq!(update("999999999999").await, None);
    assert_eq!(store.delete_connector(OWNER, id).await.unwrap(), Ok(()));
    assert_eq!(update(OWNER).await, None);

    let (account, _) = account_with_user(&store).await;
    let room = store.create_room(&account, "r", "arn", None, 1, 9).await;
    let room = room.unwrap().unwrap().room_id;
    let renamed = store.rename_room(&room, "s", 2).await.unwrap();
    assert_eq!(renamed.unwrap().name, "s");
    store.delete_room(&room).await.unwrap();
    assert_eq!(store.rename_room(&room, "t", 3).await.unwrap(), None);
}
