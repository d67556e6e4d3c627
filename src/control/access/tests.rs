//! Users, roles and temporary credentials, from the key that signs to what its holder may do.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::sessions::{Given, Wanted};
use super::*;
use crate::control::{Control, Place, Refusal, now_ms};
use crate::node::desk::Handle;
use crate::store::{AccessKey, Principal, PrincipalKind, Store};

const ACCOUNT: &str = "123456789012";
const MEETING: &str = "arn:aws:chime:us-east-1:123456789012:meeting/m";

struct World {
    control: Control,
    _data: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        let deployment = store.deployment(Some(ACCOUNT), 1).await.unwrap();
        store.first_administrator(ACCOUNT, 1).await.unwrap();
        let (to_desk, _) = mpsc::channel(1);
        let trail = crate::control::audit::testing::trail(&store, data.path());
        let control = Control {
            logs: crate::record::logs::Logs::new(data.path().join("logs")),
            figures: crate::record::figures::Figures::new(data.path().join("metrics")),
            trail,
            store,
            objects: crate::objects::tests::folders(data.path()),
            desk: Handle::new(to_desk),
            deployment,
            place: Place {
                region: "us-east-1".to_owned(),
                public: None,
                https: "127.0.0.1:8443".to_owned(),
                dial: "meet.example.org".to_owned(),
                audio: "127.0.0.1:3478".to_owned(),
            },
            names: crate::node::names::Names::system(),
            domain_checks: crate::control::domains::DomainChecks::new(Duration::from_secs(60)),
            max_attendees: 250,
            inventory: std::sync::Arc::default(),
            page_key: "key".into(),
            pace: std::sync::Arc::new(Pace::new(1000)),
            noting: std::sync::Arc::default(),
        };
        Self {
            control,
            _data: data,
        }
    }

    /// A user with one policy, and the caller that its key makes.
    async fn user(&self, account: &str, name: &str, statement: &Value) -> (Principal, AccessKey) {
        let user = self.control.create_api_user(account, name).await.unwrap();
        self.put(&user, "own", statement).await;
        let key = self.control.create_key(account, name).await.unwrap();
        (user, key)
    }

    async fn role(&self, name: &str, trust: &Value, statement: &Value) -> Principal {
        let trust = document(trust);
        let role = self.control.create_role(ACCOUNT, name, &trust, 7200);
        let role = role.await.unwrap();
        self.put(&role, "own", statement).await;
        role
    }

    async fn caller(&self, key: &AccessKey) -> Caller {
        let found = usable_key(&self.control.store, &key.access_key_id, None, now_ms()).await;
        found.unwrap().unwrap().caller().unwrap()
    }

    async fn of(&self, given: &Given, now_ms: i64) -> Result<Caller, NoKey> {
        let id = &given.session.access_key_id;
        let token = Some(given.token.expose());
        let found = usable_key(&self.control.store, id, token, now_ms).await;
        found.unwrap().map(|key| key.caller().unwrap())
    }

    fn may(&self, caller: &Caller, action: &str) -> bool {
        let context = Context::new();
        self.control
            .authorize(caller, action, MEETING, &context)
            .is_ok()
    }

    async fn assume(&self, caller: &Caller, role: &Principal) -> Result<Given, Refusal> {
        let (wanted, context) = (Wanted::default(), Context::new());
        let control = &self.control;
        let arn = role.arn();
        let given = control.assume_role(caller, &arn, "night", &wanted, &context);
        given.await
    }

    async fn federate(
        &self,
        caller: &Caller,
        name: &str,
        wanted: &Wanted,
    ) -> Result<Given, Refusal> {
        let context = Context::new();
        self.control.federate(caller, name, wanted, &context).await
    }

    async fn put(&self, principal: &Principal, name: &str, statement: &Value) {
        let document = document(statement);
        let put = self.control.put_policy(principal, name, &document).await;
        assert_eq!(put.unwrap(), Vec::<String>::new());
    }
}

fn document(statement: &Value) -> String {
    json!({"Version": "2012-10-17", "Statement": statement}).to_string()
}

fn allow(actions: &Value) -> Value {
    json!({"Effect": "Allow", "Action": actions, "Resource": "*"})
}

#[tokio::test]
async fn a_user_may_what_its_policies_say_and_is_told_what_it_may_not() {
    let world = World::new().await;
    let user = world.control.create_api_user(ACCOUNT, "ada").await.unwrap();
    let key = world.control.create_key(ACCOUNT, "ada").await.unwrap();
    let refused = world.control.authorize(
        &world.caller(&key).await,
        "chime:GetMeeting",
        MEETING,
        &Context::new(),
    );
    assert_eq!(
        refused.unwrap_err().to_string(),
        "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: chime:GetMeeting \
         on resource: arn:aws:chime:us-east-1:123456789012:meeting/m"
    );
    let attached = world.control.attach_policy(&user, "AmazonChimeReadOnly");
    attached.await.unwrap();
    let ada = world.caller(&key).await;
    assert!(world.may(&ada, "chime:GetMeeting"));
    assert!(!world.may(&ada, "chime:DeleteMeeting"));
    let deny = json!({"Effect": "Deny", "Action": "chime:GetMeeting", "Resource": "*",
        "Condition": {"StringEquals": {"aws:username": "ada"}}});
    world.put(&user, "no", &deny).await;
    let ada = world.caller(&key).await;
    assert!(!world.may(&ada, "chime:GetMeeting"));
    assert!(world.may(&ada, "chime:ListUsers"));
    let administrator = Caller::administrator(ACCOUNT);
    assert!(world.may(&administrator, "anything:AtAll"));
}

#[tokio::test]
async fn what_a_request_says_of_its_sender_counts_for_nothing() {
    let world = World::new().await;
    let own = json!({"Effect": "Allow", "Action": "*", "Resource": "*",
        "Condition": {"StringEquals": {"aws:username": "bob"}}});
    let (_, key) = world.user(ACCOUNT, "ada", &own).await;
    let ada = world.caller(&key).await;
    let lie = Context::new().with("AWS:UserName", "bob");
    assert!(
        world
            .control
            .authorize(&ada, "chime:GetMeeting", "*", &lie)
            .is_err()
    );
}

#[tokio::test]
async fn a_federated_user_may_what_both_the_user_and_the_sessions_policy_allow() {
    let world = World::new().await;
    let own = allow(&json!([
        "sts:GetFederationToken",
        "chime:Get*",
        "chime:Delete*"
    ]));
    let (_, key) = world.user(ACCOUNT, "portal", &own).await;
    let portal = world.caller(&key).await;
    let federate = async |policy: Option<Value>| {
        let wanted = Wanted {
            policy: policy.map(|statement| document(&statement)),
            ..Wanted::default()
        };
        let given = world.federate(&portal, "visitor", &wanted).await.unwrap();
        world.of(&given, now_ms()).await.unwrap()
    };
    let visitor = federate(Some(allow(&json!(["chime:Get*", "chime:List*"])))).await;
    assert_eq!(
        visitor.arn(),
        "arn:aws:sts::123456789012:federated-user/visitor"
    );
    assert_eq!(visitor.principal_id, "123456789012:visitor");
    assert!(world.may(&visitor, "chime:GetMeeting"));
    // Only one of the two allows these.
    assert!(!world.may(&visitor, "chime:ListUsers"));
    assert!(!world.may(&visitor, "chime:DeleteMeeting"));
    let nobody = federate(None).await;
    assert!(!world.may(&nobody, "chime:GetMeeting"));
    // What the user loses, the session loses with it.
    let user = world
        .control
        .principal(ACCOUNT, PrincipalKind::User, "portal");
    let user = user.await.unwrap();
    let wanted = Wanted {
        policy: Some(document(&allow(&json!("*")))),
        ..Wanted::default()
    };
    let given = world.federate(&portal, "later", &wanted).await.unwrap();
    world.control.delete_policy(&user, "own").await.unwrap();
    let later = world.of(&given, now_ms()).await.unwrap();
    assert!(!world.may(&later, "chime:GetMeeting"));
}

#[tokio::test]
async fn a_role_is_taken_by_those_whom_it_and_their_account_let() {
    let world = World::new().await;
    let read = allow(&json!("chime:Get*"));
    let by_account = world
        .role(
            "by-account",
            &json!({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}),
            &read,
        )
        .await;
    let ada_arn = format!("arn:aws:iam::{ACCOUNT}:user/ada");
    let by_name = world
        .role(
            "by-name",
            &json!({"Effect": "Allow", "Principal": {"AWS": ada_arn}, "Action": "sts:AssumeRole"}),
            &read,
        )
        .await;
    let nothing = allow(&json!("chime:Nothing"));
    let (_, ada) = world.user(ACCOUNT, "ada", &nothing).await;
    let sts = allow(&json!("sts:AssumeRole"));
    let (_, bob) = world.user(ACCOUNT, "bob", &sts).await;
    let (ada, bob) = (world.caller(&ada).await, world.caller(&bob).await);
    let takes = async |who: &Caller, role: &Principal| world.assume(who, role).await.is_ok();
    assert!(!takes(&ada, &by_account).await);
    assert!(takes(&bob, &by_account).await);
    assert!(takes(&ada, &by_name).await);
    assert!(!takes(&bob, &by_name).await);

    let given = world.assume(&bob, &by_account).await.unwrap();
    let session = world.of(&given, now_ms()).await.unwrap();
    assert_eq!(
        session.arn(),
        "arn:aws:sts::123456789012:assumed-role/by-account/night"
    );
    assert_eq!(
        session.principal_id,
        format!("{}:night", by_account.principal_id)
    );
    assert!(world.may(&session, "chime:GetMeeting"));
    assert!(!world.may(&session, "chime:DeleteMeeting"));

    // A stranger of that very name, from another account.
    let (other, _) = world
        .control
        .create_owner_account("Other", Some("999999999999"))
        .await
        .unwrap();
    let (_, eve) = world.user(&other.account_id, "ada", &sts).await;
    let eve = world.caller(&eve).await;
    assert!(!takes(&eve, &by_name).await);
    assert!(!takes(&eve, &by_account).await);
    let unknown = "arn:aws:iam::123456789012:role/unknown";
    let (wanted, context) = (Wanted::default(), Context::new());
    let control = &world.control;
    let refused = control.assume_role(&eve, unknown, "xx", &wanted, &context);
    assert!(matches!(refused.await, Err(Refusal::Forbidden { .. })));
}

#[tokio::test]
async fn an_external_id_is_asked_for_where_the_trust_says_so() {
    let world = World::new().await;
    let trust = json!({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "shared"}}});
    let role = world.role("partner", &trust, &allow(&json!("*"))).await;
    let (_, key) = world
        .user(ACCOUNT, "ada", &allow(&json!("chime:Nothing")))
        .await;
    let ada = world.caller(&key).await;
    for (context, lets) in [
        (Context::new(), false),
        (Context::new().with("sts:ExternalId", "guessed"), false),
        (Context::new().with("sts:ExternalId", "shared"), true),
    ] {
        let wanted = Wanted::default();
        let arn = role.arn();
        let given = world
            .control
            .assume_role(&ada, &arn, "xx", &wanted, &context);
        assert_eq!(given.await.is_ok(), lets, "{context:?}");
    }
}

#[tokio::test]
async fn temporary_credentials_are_good_together_and_until_they_end() {
    let world = World::new().await;
    let (user, key) = world.user(ACCOUNT, "ada", &allow(&json!("*"))).await;
    let ada = world.caller(&key).await;
    let wanted = Wanted {
        seconds: Some(900),
        ..Wanted::default()
    };
    let given = world.control.own_session(&ada, &wanted).await.unwrap();
    let ends = given.session.expires_ms;
    let session = world.of(&given, ends - 1).await.unwrap();
    assert_eq!(session.arn(), ada.arn());
    assert!(session.is_temporary() && world.may(&session, "chime:GetMeeting"));
    assert_eq!(world.of(&given, ends).await, Err(NoKey::Expired));

    let store = &world.control.store;
    let id = &given.session.access_key_id;
    let mut token = given.token.expose().to_owned();
    token.replace_range(..1, if token.starts_with('x') { "y" } else { "x" });
    for (id, token) in [
        (id.as_str(), None),
        (id.as_str(), Some(token.as_str())),
        (key.access_key_id.as_str(), Some(given.token.expose())),
        ("ASIAUNKNOWNUNKNOWNXX", Some(given.token.expose())),
    ] {
        let found = usable_key(store, id, token, now_ms()).await.unwrap();
        assert_eq!(found.unwrap_err(), NoKey::Unknown, "{id}");
    }
    // Sessions make no sessions of their user again.
    let wanted = Wanted::default();
    let again = world.control.own_session(&session, &wanted).await;
    assert!(matches!(again, Err(Refusal::Forbidden { .. })));
    let again = world.federate(&session, "xx", &wanted).await;
    assert!(matches!(again, Err(Refusal::Forbidden { .. })));

    store.delete_principal(&user.principal_id).await.unwrap();
    assert_eq!(world.of(&given, ends - 1).await, Err(NoKey::Unknown));
}

#[tokio::test]
async fn wishes_that_cannot_be_met_are_told() {
    let world = World::new().await;
    let (_, key) = world.user(ACCOUNT, "ada", &allow(&json!("*"))).await;
    let ada = world.caller(&key).await;
    let said = async |name: &str, wanted: &Wanted| {
        world
            .federate(&ada, name, wanted)
            .await
            .unwrap_err()
            .to_string()
    };
    let wish = Wanted::default;
    let seconds = |seconds| Wanted {
        seconds: Some(seconds),
        ..wish()
    };
    assert!(
        said("x", &wish())
            .await
            .starts_with("Name: must be 2 to 32")
    );
    assert!(said("a b", &wish()).await.starts_with("Name: "));
    assert!(
        said("xx", &seconds(899))
            .await
            .starts_with("DurationSeconds: ")
    );
    assert!(
        said("xx", &seconds(129_601))
            .await
            .starts_with("DurationSeconds: ")
    );
    let policy = Wanted {
        policy: Some("{}".to_owned()),
        ..wish()
    };
    assert_eq!(said("xx", &policy).await, "Statement: is missing");
    let arns = Wanted {
        policy_arns: vec!["arn:aws:iam::aws:policy/Nothing".to_owned()],
        ..wish()
    };
    assert!(said("xx", &arns).await.starts_with("PolicyArns: "));
    let (wanted, context) = (wish(), Context::new());
    let given = world
        .control
        .assume_role(&ada, "on-call", "xx", &wanted, &context);
    let refused = given.await.unwrap_err().to_string();
    assert!(refused.starts_with("RoleArn: "), "{refused}");
}

#[tokio::test]
async fn a_role_is_denied_however_its_name_is_spelt_and_to_sessions_that_are_narrowed() {
    let world = World::new().await;
    let all = allow(&json!("*"));
    let ada_arn = format!("arn:aws:iam::{ACCOUNT}:user/ada");
    let first = world
        .role(
            "First",
            &json!({"Effect": "Allow", "Principal": {"AWS": [ACCOUNT, ada_arn]}, "Action": "sts:AssumeRole"}),
            &allow(&json!("chime:Get*")),
        )
        .await;
    let trust =
        json!({"Effect": "Allow", "Principal": {"AWS": first.arn()}, "Action": "sts:AssumeRole"});
    let second = world.role("Second", &trust, &all).await;

    let deny = json!([all, {"Effect": "Deny", "Action": "sts:*", "Resource": first.arn()}]);
    let (_, bob) = world.user(ACCOUNT, "bob", &deny).await;
    let bob = world.caller(&bob).await;
    for name in ["First", "FIRST", "first"] {
        let arn = format!("arn:aws:iam::{ACCOUNT}:role/{name}");
        let (wanted, context) = (Wanted::default(), Context::new());
        let given = world
            .control
            .assume_role(&bob, &arn, "night", &wanted, &context);
        assert!(
            matches!(given.await, Err(Refusal::Forbidden { .. })),
            "{name}"
        );
    }

    // The role that it holds is trusted, but the session was given a policy that does not speak of other roles.
    let (_, ada) = world
        .user(ACCOUNT, "ada", &allow(&json!("chime:Nothing")))
        .await;
    let ada = world.caller(&ada).await;
    let context = Context::new();
    for (policy, takes) in [
        (None, true),
        (Some(allow(&json!("chime:GetMeeting"))), false),
        (Some(allow(&json!("sts:AssumeRole"))), true),
    ] {
        let wanted = Wanted {
            policy: policy.as_ref().map(document),
            ..Wanted::default()
        };
        let arn = first.arn();
        let given = world
            .control
            .assume_role(&ada, &arn, "night", &wanted, &context);
        let session = world.of(&given.await.unwrap(), now_ms()).await.unwrap();
        assert_eq!(
            world.assume(&session, &second).await.is_ok(),
            takes,
            "{policy:?}"
        );
    }
}

#[tokio::test]
async fn a_keys_use_is_noted_and_again_when_it_is_due_again() {
    let world = World::new().await;
    let (_, ada) = world.user(ACCOUNT, "ada", &allow(&json!("*"))).await;
    for at in [7000, 90_000] {
        let noted = async {
            loop {
                // As each of many requests does; one whose key is just being noted leaves it at that.
                let id = ada.access_key_id.clone();
                world.control.note_access_key_used(id, at);
                let found = world.control.store.access_key(&ada.access_key_id).await;
                if found.unwrap().unwrap().last_used_ms == Some(at) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), noted)
            .await
            .unwrap();
    }
}
