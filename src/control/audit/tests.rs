//! The trail's way from a call to index and objects, over crashes and failures.

use std::fs;

use serde_json::Value;

use super::*;
use crate::store::{AuditAttribute, AuditRow, Page};

const ACCOUNT: &str = "123456789012";

struct World {
    data: tempfile::TempDir,
    store: Store,
    objects: Objects,
    trail: Trail,
    task: JoinHandle<()>,
}

impl World {
    async fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        let objects = crate::objects::tests::folders(data.path());
        let (trail, task) = start(&data, &store, &objects);
        Self {
            data,
            store,
            objects,
            trail,
            task,
        }
    }

    /// Another process on the same data, as after `kill -9`.
    fn begin_again(&mut self) {
        self.task.abort();
        (self.trail, self.task) = start(&self.data, &self.store, &self.objects);
    }

    fn entry(&self, name: &str, account: &str, at_ms: i64) -> Entry {
        let event_id = self.store.event_id(at_ms).unwrap();
        testing::entry(name, account, at_ms, event_id)
    }

    async fn rows(&self) -> Vec<AuditRow> {
        let (range, page) = ((0, i64::MAX), Page::first(5000));
        let found = self.store.audit_rows(
            ACCOUNT,
            (AuditAttribute::EventCategory, "Management"),
            range,
            &page,
        );
        found.await.unwrap().items
    }

    async fn objects(&self) -> Vec<(String, Value)> {
        let listed = self.objects.list("records", "", "", 100).await.unwrap();
        let mut all = Vec::new();
        for object in listed {
            let got = self.objects.get("records", &object.key).await.unwrap();
            all.push((object.key, serde_json::from_slice(&got).unwrap()));
        }
        all
    }

    fn segments(&self) -> Vec<std::path::PathBuf> {
        let entries = fs::read_dir(self.data.path().join("spool/audit")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

fn start(data: &tempfile::TempDir, store: &Store, objects: &Objects) -> (Trail, JoinHandle<()>) {
    Trail::start(
        data.path(),
        testing::settings(),
        store.clone(),
        objects.clone(),
    )
    .unwrap()
}

#[tokio::test]
async fn what_is_kept_is_found_and_delivered_once_under_cloudtrails_key() {
    let world = World::new().await;
    let now = now_ms();
    let entries: Vec<Entry> = (0..300)
        .map(|at| {
            world.entry(
                "CreateUser",
                if at % 3 == 0 { "210987654321" } else { ACCOUNT },
                now + at,
            )
        })
        .collect();
    for entry in &entries {
        world
            .trail
            .keep(entry, entry.event_id.ends_with('0'))
            .await
            .unwrap();
    }
    world.trail.indexed().await.unwrap();
    let rows = world.rows().await;
    assert_eq!(rows.len(), 200);
    let first: Entry = serde_json::from_str(&rows.last().unwrap().document).unwrap();
    assert_eq!(first, entries[1]);
    assert_eq!(world.segments().len(), 1);

    world.trail.delivered().await.unwrap();
    assert!(world.segments().is_empty());
    let objects = world.objects().await;
    assert_eq!(objects.len(), 2);
    let (path, document) = &objects[0];
    let day = seconds(now)[..10].replace('-', "/");
    let prefix =
        format!("AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/{day}/{ACCOUNT}_CloudTrail_us-east-1_");
    assert!(path.starts_with(&prefix), "{path}");
    let rest = path[prefix.len()..].strip_suffix(".json").unwrap();
    let (time, unique) = rest.split_once('_').unwrap();
    assert_eq!((time.len(), unique.len()), (14, 16), "{rest}");
    assert!(
        time.ends_with('Z') && time.starts_with(&day.replace('/', "")),
        "{rest}"
    );
    let records = document["Records"].as_array().unwrap();
    assert_eq!(records.len(), 200);
    assert_eq!(records[0], serde_json::to_value(&entries[1]).unwrap());
}

#[tokio::test]
async fn what_a_killed_process_left_is_taken_up_and_a_repetition_changes_nothing() {
    let mut world = World::new().await;
    let entry = world.entry("DeleteUser", ACCOUNT, now_ms());
    world.trail.keep(&entry, true).await.unwrap();
    // As a process that was killed after the index and before anything else; with half an entry at the end.
    world.trail.indexed().await.unwrap();
    let left = world.segments();
    let mut octets = fs::read(&left[0]).unwrap();
    octets.extend_from_slice(b"{\"eventVersion\":");
    fs::write(&left[0], &octets).unwrap();
    world.begin_again();
    world.trail.delivered().await.unwrap();
    assert_eq!(world.rows().await.len(), 1);
    let once = world.objects().await;
    assert_eq!(once.len(), 1);
    assert_eq!(once[0].1["Records"].as_array().unwrap().len(), 1);
    assert!(world.segments().is_empty());
    // And killed before the file was removed.
    fs::write(&left[0], &octets).unwrap();
    world.begin_again();
    world.trail.delivered().await.unwrap();
    assert_eq!(world.rows().await.len(), 1);
    assert_eq!(world.objects().await, once);
}

#[tokio::test]
async fn a_whole_line_that_nobody_can_read_is_put_aside_and_not_removed() {
    let mut world = World::new().await;
    let entry = world.entry("DeleteUser", ACCOUNT, now_ms());
    // As another version may have written it.
    let odd = b"{\"eventVersion\":\"2\",\"everythingElse\":{}}\n";
    let good = serde_json::to_vec(&entry).unwrap();
    let all = [odd.as_slice(), &good, b"\n"].concat();
    let name = "0000000000001-odd";
    let spool = world.data.path().join("spool/audit");
    fs::write(spool.join(format!("{name}.jsonl")), &all).unwrap();
    world.begin_again();
    world.trail.delivered().await.unwrap();
    assert_eq!(world.rows().await.len(), 1);
    assert_eq!(world.objects().await.len(), 1);
    assert_eq!(fs::read(spool.join(format!("{name}.bad"))).unwrap(), all);
    assert_eq!(world.segments().len(), 1);
}

#[tokio::test]
async fn an_index_that_is_away_loses_nothing_and_stops_no_delivery() {
    let mut world = World::new().await;
    world.store.close().await;
    let entry = world.entry("CreateUser", ACCOUNT, now_ms());
    world.trail.keep(&entry, true).await.unwrap();
    assert_eq!(world.trail.indexed().await, Err(Unindexed));
    assert_eq!(world.trail.delivered().await, Err(Unindexed));
    assert_eq!(world.objects().await.len(), 1);
    assert_eq!(world.segments().len(), 1);
    world.store = Store::open(world.data.path()).await.unwrap();
    world.begin_again();
    world.trail.delivered().await.unwrap();
    assert_eq!(world.rows().await.len(), 1);
    assert_eq!(world.objects().await.len(), 1);
}

#[tokio::test]
async fn a_thing_with_a_long_name_is_indexed_by_the_beginning_of_it() {
    let world = World::new().await;
    // Random, so that no database makes it shorter: PostgreSQL refuses 2,704 octets in a row of an index.
    let name: String = (0..100).map(|_| uuid::Uuid::new_v4().to_string()).collect();
    let mut entry = world.entry("GetAccount", ACCOUNT, now_ms());
    let arn = format!("arn:aws:chime:us-east-1:{ACCOUNT}:account/{name}");
    entry.resources = vec![Resource {
        account_id: ACCOUNT.to_owned(),
        kind: "AWS::Chime::Account".to_owned(),
        arn: arn.clone(),
    }];
    world.trail.keep(&entry, false).await.unwrap();
    world.trail.indexed().await.unwrap();
    let rows = world.rows().await;
    assert_eq!(rows[0].resource_name.len(), 512);
    assert!(rows[0].document.contains(&arn), "the document has it all");
    let asked = (AuditAttribute::ResourceName, arn.as_str());
    let (range, page) = ((0, i64::MAX), Page::first(5));
    let found = world.store.audit_rows(ACCOUNT, asked, range, &page);
    assert_eq!(found.await.unwrap().items, rows);
}

#[tokio::test]
async fn a_spool_that_cannot_be_written_is_told() {
    let world = World::new().await;
    fs::remove_dir_all(world.data.path().join("spool/audit")).unwrap();
    let entry = world.entry("CreateUser", ACCOUNT, now_ms());
    assert!(world.trail.reserve().await.is_err());
    assert!(world.trail.keep(&entry, false).await.is_err());
    // And once it can be again, it is.
    fs::create_dir_all(world.data.path().join("spool/audit")).unwrap();
    world.trail.reserve().await.unwrap();
    world.trail.keep(&entry, false).await.unwrap();
    world.trail.indexed().await.unwrap();
    assert_eq!(world.rows().await.len(), 1);
}

#[tokio::test]
async fn room_for_a_change_is_there_before_the_change_and_reads_as_nothing() {
    use std::os::unix::fs::MetadataExt;
    let world = World::new().await;
    for at in 0..3 {
        world.trail.reserve().await.unwrap();
        let [file] = world.segments().try_into().unwrap();
        let metadata = fs::metadata(&file).unwrap();
        assert!(metadata.blocks() * 512 >= 1024 * 1024, "{metadata:?}");
        assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), at);
        let entry = world.entry("CreateUser", ACCOUNT, now_ms());
        world.trail.keep(&entry, true).await.unwrap();
    }
    world.trail.indexed().await.unwrap();
    assert_eq!(world.rows().await.len(), 3);
}

#[tokio::test]
async fn strangers_have_an_end_by_their_networks() {
    let world = World::new().await;
    let admitted = |from: &dyn Fn(u32) -> String| {
        let from = |at| Some(from(at).parse().unwrap());
        let taken = (0..500).filter(|at| world.trail.has_room_for_a_stranger(from(*at)));
        taken.count() as u32
    };
    // Twice as many where a minute ends in between.
    let one = admitted(&|at| format!("2001:db8::{at:x}"));
    assert!(one == OF_ONE || one == 2 * OF_ONE, "{one}");
    let many = admitted(&|at| format!("192.0.{}.{}", at / 250, at % 250));
    assert!((OF_ALL - OF_ONE..=2 * OF_ALL).contains(&many), "{many}");
}

#[tokio::test]
async fn the_name_of_a_session_is_a_users() {
    let world = World::new().await;
    let mut entry = world.entry("AssumeRole", ACCOUNT, now_ms());
    entry.user_identity.principal_id = "AROAX:ada".to_owned();
    world.trail.keep(&entry, false).await.unwrap();
    world.trail.indexed().await.unwrap();
    let ada = (AuditAttribute::UserName, "ada");
    let (range, page) = ((0, i64::MAX), Page::first(5));
    let found = world.store.audit_rows(ACCOUNT, ada, range, &page);
    assert_eq!(found.await.unwrap().items.len(), 1);
}
