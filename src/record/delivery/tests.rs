use std::path::Path;
use std::sync::Mutex;

use super::super::spool::Ready;
use super::*;
use crate::config::{Bucket, BucketPlace};
use crate::objects::envelope::ObjectKey;

fn objects(data: &Path, buckets: &[&str]) -> Objects {
    let configured: Vec<Bucket> = buckets
        .iter()
        .map(|name| Bucket {
            name: (*name).to_owned(),
            place: BucketPlace::Folder(data.join(name)),
            sealed: false,
            accounts: Vec::new(),
        })
        .collect();
    let key = ObjectKey::new([7; 32]).unwrap();
    Objects::open(&configured, "default", data, "000000000001", key).unwrap()
}

fn ready(id: &str, bucket: Option<&str>) -> Ready {
    Ready {
        transaction_id: id.to_owned(),
        bucket: bucket.map(str::to_owned),
        key: format!("records/{id}"),
        body: format!("body of {id}"),
    }
}

/// A delivery, and where it sends what nobody decided.
struct World {
    data: tempfile::TempDir,
    spool: Spool,
    delivery: Delivery,
    chosen: Arc<Mutex<Result<Option<String>, String>>>,
}

impl World {
    fn new(buckets: &[&str]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let spool = Spool::open(data.path().join("spool")).unwrap();
        let chosen = Arc::new(Mutex::new(Ok(Some("default".to_owned()))));
        let says = chosen.clone();
        let destination: Destination = Arc::new(move || {
            let chosen = says.lock().unwrap().clone();
            Box::pin(async move { chosen })
        });
        let objects = objects(data.path(), buckets);
        let delivery =
            Delivery::start(&Handle::current(), objects, destination, spool.clone()).unwrap();
        Self {
            data,
            spool,
            delivery,
            chosen,
        }
    }

    fn deliver(&self, ready: Ready) {
        self.spool.make_ready(&ready).unwrap();
        self.deliver_as(ready, false);
    }

    fn deliver_as(&self, ready: Ready, with_body: bool) {
        self.delivery.deliver(Waiting {
            transaction_id: ready.transaction_id,
            bucket: ready.bucket,
            key: ready.key,
            body: with_body.then_some(ready.body),
        });
    }

    async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        self.delivery.flush(done);
        flushed.await.unwrap();
    }

    fn has(&self, bucket: &str, id: &str) -> bool {
        let file = self.data.path().join(bucket).join("records").join(id);
        std::fs::read(file).is_ok_and(|body| body == format!("body of {id}").into_bytes())
    }

    fn spooled(&self) -> usize {
        self.spool.left_ready().len()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_goes_to_its_bucket_or_to_the_one_that_is_chosen_then() {
    let world = World::new(&["one", "two"]);
    world.deliver(ready("a", Some("one")));
    world.deliver(ready("b", None));
    world.flush().await;
    assert!(world.has("one", "a") && world.has("default", "b"));
    *world.chosen.lock().unwrap() = Ok(Some("two".to_owned()));
    world.deliver(ready("c", None));
    world.flush().await;
    assert!(world.has("two", "c"));
    *world.chosen.lock().unwrap() = Ok(None);
    world.deliver(ready("d", None));
    world.flush().await;
    assert_eq!(world.spooled(), 0);
    for bucket in ["default", "one", "two"] {
        assert!(!world.has(bucket, "d"), "records are turned off");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_fails_keeps_its_own_records_only_and_gets_them_when_it_is_back() {
    let world = World::new(&["one"]);
    let folder = world.data.path().join("one");
    // A file in the folder's place: nothing can be written there.
    std::fs::remove_dir(&folder).unwrap();
    std::fs::write(&folder, b"").unwrap();
    for id in ["a", "b"] {
        world.deliver(ready(id, Some("one")));
    }
    world.deliver(ready("d", None));
    world.flush().await;
    assert!(world.has("default", "d"));
    assert_eq!(world.spooled(), 2, "nothing is lost");
    std::fs::remove_file(&folder).unwrap();
    std::fs::create_dir(&folder).unwrap();
    world.flush().await;
    assert!(world.has("one", "a") && world.has("one", "b"));
    assert_eq!(world.spooled(), 0);
    world.delivery.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_of_a_bucket_that_is_no_more_go_where_the_setting_says_once_it_does() {
    let world = World::new(&["one"]);
    let says = |what: Result<&str, &str>| {
        *world.chosen.lock().unwrap() = what.map(|b| Some(b.to_owned())).map_err(str::to_owned);
    };
    says(Err("the bucket is gone"));
    world.deliver(ready("a", Some("gone")));
    world.deliver(ready("b", None));
    world.flush().await;
    assert_eq!(world.spooled(), 2, "nothing is lost");
    says(Ok("one"));
    world.flush().await;
    assert!(world.has("one", "a") && world.has("one", "b"));
    assert_eq!(world.spooled(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_record_says_is_read_when_its_turn_comes_and_kept_only_where_the_spool_has_it_not() {
    let world = World::new(&[]);
    *world.chosen.lock().unwrap() = Err("no database".to_owned());
    for id in ["a", "b", "c"] {
        world.deliver(ready(id, None));
    }
    world.deliver_as(ready("unspooled", None), true);
    world.flush().await;
    let changed = Ready {
        body: "another body".to_owned(),
        ..ready("a", None)
    };
    world.spool.make_ready(&changed).unwrap();
    let damaged = world.data.path().join("spool/ready/b.json");
    std::fs::write(&damaged, b"{").unwrap();
    *world.chosen.lock().unwrap() = Ok(Some("default".to_owned()));
    world.flush().await;
    let delivered = std::fs::read(world.data.path().join("default/records/a"));
    assert_eq!(delivered.unwrap(), b"another body");
    assert!(world.has("default", "c") && world.has("default", "unspooled"));
    assert!(!world.has("default", "b") && damaged.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_nobody_can_say_where_to_records_wait_and_are_tried_again_by_themselves() {
    let world = World::new(&[]);
    *world.chosen.lock().unwrap() = Err("no database".to_owned());
    world.deliver(ready("a", None));
    world.flush().await;
    assert_eq!(world.spooled(), 1);
    *world.chosen.lock().unwrap() = Ok(Some("default".to_owned()));
    let deadline = Instant::now() + Duration::from_secs(20);
    while !world.has("default", "a") {
        assert!(Instant::now() < deadline, "it is never tried again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn the_wait_doubles_up_to_its_bound_and_is_forgotten_after_a_success() {
    let mut hold = Hold::default();
    let mut said = 0;
    for _ in 0..50 {
        let before = Instant::now();
        said += usize::from(hold.fail());
        assert!(hold.until.unwrap() <= before + MOST_WAIT + Duration::from_secs(1));
        assert!(hold.holds());
    }
    assert_eq!(said, 1, "a dead store does not fill the log");
    assert!(hold.success() && !hold.holds() && !hold.success());
}
