use super::*;

/// Buckets in a folder: `records` plain, `vault` sealed, and the default one.
pub(crate) fn folders(data: &Path) -> Objects {
    let bucket = |name: &str, sealed| Configured {
        name: name.to_owned(),
        place: BucketPlace::Folder(data.join(name)),
        sealed,
        accounts: Vec::new(),
    };
    let mut shared = bucket("shared", false);
    shared.accounts = vec!["000000000002".to_owned()];
    Objects::open(
        &[bucket("records", false), bucket("vault", true), shared],
        "campanile-records",
        data,
        "000000000001",
        ObjectKey::new([7; 32]).unwrap(),
    )
    .unwrap()
}

fn body(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

#[tokio::test]
async fn a_folder_holds_plain_files_but_where_its_bucket_is_sealed() {
    let data = tempfile::tempdir().unwrap();
    let objects = folders(data.path());
    for bucket in ["campanile-records", "records", "vault"] {
        objects.put(bucket, "a/b", body("plain")).await.unwrap();
        assert_eq!(objects.get(bucket, "a/b").await.unwrap(), "plain");
    }
    for bucket in ["campanile-records", "records"] {
        let file = data.path().join(bucket).join("a/b");
        assert_eq!(std::fs::read(file).unwrap(), b"plain");
    }
    let file = data.path().join("vault/a/b");
    let stored = std::fs::read(&file).unwrap();
    assert!(envelope::is_sealed(&stored) && !stored.windows(5).any(|w| w == b"plain"));

    // Another path, another bucket, in clear: nothing of it is believed.
    std::fs::copy(&file, data.path().join("vault/a/c")).unwrap();
    std::fs::copy(&file, data.path().join("records/a/b")).unwrap();
    std::fs::write(data.path().join("vault/d"), b"plain").unwrap();
    for (bucket, key, wanted) in [
        ("vault", "a/c", BadEnvelope::Moved),
        ("records", "a/b", BadEnvelope::Moved),
        ("vault", "d", BadEnvelope::NotSealed),
    ] {
        let refused = objects.get(bucket, key).await.unwrap_err();
        assert!(
            matches!(refused, ObjectError::Envelope(why) if why == wanted),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn what_is_always_sealed_is_so_in_a_plain_bucket_too() {
    let data = tempfile::tempdir().unwrap();
    let objects = folders(data.path());
    let sealed = objects.put_sealed("records", "voice", body("hello"));
    sealed.await.unwrap();
    assert_eq!(objects.get("records", "voice").await.unwrap(), "hello");
    assert_eq!(
        objects.get_sealed("records", "voice").await.unwrap(),
        "hello"
    );
    objects
        .put("records", "voice", body("hello"))
        .await
        .unwrap();
    assert!(objects.get_sealed("records", "voice").await.is_err());
}

#[tokio::test]
async fn an_object_in_pieces_is_there_when_it_is_finished_and_not_before() {
    let data = tempfile::tempdir().unwrap();
    let objects = folders(data.path());
    let piece: Bytes = (0..1_000_003_usize).map(|at| (at % 251) as u8).collect();
    for bucket in ["records", "vault"] {
        let mut writer = objects.writer(bucket, "big", false).unwrap();
        for _ in 0..20 {
            writer.write(piece.clone()).await.unwrap();
        }
        let early = objects.get(bucket, "big").await.unwrap_err();
        assert!(matches!(early, ObjectError::NotFound(_)), "{early}");
        writer.finish().await.unwrap();
        let mut reader = objects.reader(bucket, "big", false).await.unwrap();
        let (mut len, mut most) = (0, 0);
        while let Some(octets) = reader.next().await.unwrap() {
            for (at, octet) in (len..).zip(octets.iter()) {
                assert_eq!(*octet, piece[at % piece.len()]);
            }
            len += octets.len();
            most = most.max(octets.len());
        }
        assert_eq!(len, 20 * piece.len());
        assert!(most < 1 << 20, "it is never held whole: {most}");
        let mut given_up = objects.writer(bucket, "none", true).unwrap();
        given_up.write(piece.clone()).await.unwrap();
        given_up.abort().await;
        assert!(objects.get(bucket, "none").await.is_err());
        let listed = objects.list(bucket, "", "", 10).await.unwrap();
        assert_eq!(listed.len(), 1, "{listed:?}");
    }
}

#[tokio::test]
async fn a_list_is_in_order_goes_on_behind_a_path_and_ends_where_asked() {
    let data = tempfile::tempdir().unwrap();
    let objects = folders(data.path());
    for key in ["b/2", "a", "b/1", "b/3", "c"] {
        objects.put("records", key, body(key)).await.unwrap();
    }
    let list = async |prefix, after, limit| {
        let found = objects.list("records", prefix, after, limit).await.unwrap();
        found
            .into_iter()
            .map(|stored| stored.key)
            .collect::<Vec<_>>()
    };
    assert_eq!(list("", "", 9).await, ["a", "b/1", "b/2", "b/3", "c"]);
    assert_eq!(list("", "b/1", 2).await, ["b/2", "b/3"]);
    assert_eq!(list("b", "", 9).await, ["b/1", "b/2", "b/3"]);
    objects.delete("records", "b/2").await.unwrap();
    assert_eq!(list("b", "", 9).await, ["b/1", "b/3"]);
}

#[tokio::test]
async fn a_bucket_that_is_none_and_a_path_that_leads_out_are_refused_or_harmless() {
    let data = tempfile::tempdir().unwrap();
    let objects = folders(data.path());
    let none = objects.put("nowhere", "a", Bytes::new()).await.unwrap_err();
    assert!(matches!(none, ObjectError::UnknownBucket(_)), "{none}");
    for key in ["", "/"] {
        let refused = objects.put("records", key, Bytes::new()).await;
        assert!(matches!(refused, Err(ObjectError::NoKey)), "{key}");
    }
    for key in [
        "//",
        "a//b",
        "../../out",
        "a/../../../out",
        "./a",
        "a\nb",
        "a\0b",
    ] {
        let refused = objects.put("records", key, body("in")).await;
        assert!(matches!(refused, Err(ObjectError::BadKey(_))), "{key:?}");
        let refused = objects.get("records", key).await;
        assert!(matches!(refused, Err(ObjectError::BadKey(_))), "{key:?}");
        assert!(objects.list("records", key, "", 1).await.is_err());
    }
    objects.put("records", "a/b", body("in")).await.unwrap();
    for key in ["/a/b", "a/b/", "/a/b/"] {
        for refused in [
            objects.put("records", key, body("in")).await.unwrap_err(),
            objects.get("records", key).await.unwrap_err(),
            objects.delete("records", key).await.unwrap_err(),
        ] {
            assert!(matches!(refused, ObjectError::BadKey(_)), "{key:?}");
        }
    }
    for prefix in ["/", "/a", "/a/"] {
        let refused = objects.list("records", prefix, "", 9).await;
        assert!(matches!(refused, Err(ObjectError::BadKey(_))), "{prefix}");
    }
    assert!(!data.path().join("../out").exists() && !data.path().join("out").exists());
    // Encoded dots are characters of a name.
    let dots = "%2e%2e/%2E%2E/out";
    objects.put("records", dots, body("in")).await.unwrap();
    assert!(data.path().join("records").join(dots).exists());
}

#[tokio::test]
async fn what_lists_show_is_what_can_be_asked_for() {
    let data = tempfile::tempdir().unwrap();
    let objects = folders(data.path());
    let mut keys = [
        "backup~1.json",
        "a%b",
        "a%25b",
        "x [1]{2}^`|<>\"*?",
        "ä/ö ü",
    ];
    keys.sort_unstable();
    for key in keys {
        // As others may have put it there.
        let file = data.path().join("records").join(key);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, key).unwrap();
        objects.put("vault", key, body(key)).await.unwrap();
    }
    for bucket in ["records", "vault"] {
        let mut after = String::new();
        for key in keys {
            let listed = objects.list(bucket, "", &after, 1).await.unwrap();
            assert_eq!(listed[0].key, key);
            assert_eq!(objects.get(bucket, key).await.unwrap(), key);
            after = key.to_owned();
        }
        assert!(
            objects
                .list(bucket, "", &after, 1)
                .await
                .unwrap()
                .is_empty()
        );
    }
}

#[tokio::test]
async fn a_store_that_lists_in_order_is_read_no_further_than_the_page() {
    let listed = |in_order, limit| async move {
        let all = (0..5000).map(|at| {
            Ok(ObjectMeta {
                location: ObjectPath::from(format!("{at:04}")),
                last_modified: std::time::SystemTime::UNIX_EPOCH.into(),
                size: 1,
                e_tag: None,
                version: None,
            })
        });
        let found = futures_util::stream::iter(all.collect::<Vec<_>>());
        let mut read = 0;
        let found = found.inspect(|_| read += 1).boxed();
        let keys = first(found, in_order, limit).await.unwrap();
        (keys.len(), keys.last().unwrap().key.clone(), read)
    };
    assert_eq!(listed(true, 10).await, (10, "0009".to_owned(), 10));
    assert_eq!(listed(false, 10).await, (10, "0009".to_owned(), 5000));
}

#[tokio::test]
async fn an_object_that_broke_off_is_never_said_to_be_whole() {
    let data = tempfile::tempdir().unwrap();
    let objects = folders(data.path());
    objects.put("vault", "a", body("hello")).await.unwrap();
    let file = data.path().join("vault/a");
    let mut stored = std::fs::read(&file).unwrap();
    let last = stored.len() - 1;
    stored[last] ^= 1;
    std::fs::write(&file, &stored).unwrap();
    let mut reader = objects.reader("vault", "a", true).await.unwrap();
    for _ in 0..3 {
        assert!(reader.next().await.is_err());
    }
    // And what has ended stays so.
    objects.put("vault", "a", body("")).await.unwrap();
    let mut reader = objects.reader("vault", "a", true).await.unwrap();
    for _ in 0..3 {
        assert!(reader.next().await.unwrap().is_none());
    }
}

#[test]
fn a_bucket_is_open_to_the_accounts_that_it_names_else_to_our_own() {
    let data = tempfile::tempdir().unwrap();
    let objects = folders(data.path());
    assert!(objects.is_open_to("records", "000000000001"));
    assert!(!objects.is_open_to("records", "000000000002"));
    assert!(objects.is_open_to("shared", "000000000002"));
    assert!(!objects.is_open_to("shared", "000000000001"));
    assert!(!objects.is_open_to("nowhere", "000000000001"));
}
