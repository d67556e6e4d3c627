use super::*;

fn logs(text: &str) -> (tempfile::TempDir, Logs) {
    let folder = tempfile::tempdir().unwrap();
    let group = folder.path().join("aws/G/id");
    fs::create_dir_all(&group).unwrap();
    fs::write(group.join("2026-11-22.jsonl"), text).unwrap();
    let logs = Logs::new(folder.path().to_owned());
    (folder, logs)
}

fn text(time: u64, size: usize) -> String {
    format!(
        "{{\"event_timestamp\":{time},\"x\":\"{}\"}}\n",
        "y".repeat(size)
    )
}

fn bounds(lines: usize) -> Bounds {
    Bounds {
        lines,
        octets: usize::MAX,
        read: u64::MAX,
    }
}

fn times(found: &Found) -> Vec<u64> {
    found.lines.iter().map(|line| line.time_ms).collect()
}

const GROUP: &str = "/aws/G/id";
const DAY: &str = "2026-11-22";

/// Lines longer than what is read at once, and shorter ones.
fn many() -> String {
    (0..50)
        .map(|at| {
            text(
                at,
                if at % 7 == 0 {
                    90_000
                } else {
                    40 * at as usize
                },
            )
        })
        .collect()
}

#[test]
fn walking_forward_and_backward_in_any_steps_finds_every_line_once() {
    let (_folder, logs) = logs(&many());
    for step in [1, 3, 50, 70] {
        let (mut place, mut seen) = (0, Vec::new());
        loop {
            let found = logs
                .forward(GROUP, DAY, place, bounds(step), |_| true)
                .unwrap();
            seen.extend(times(&found));
            place = found.place;
            if found.end {
                break;
            }
        }
        assert_eq!(seen, (0..50).collect::<Vec<_>>(), "{step} forward");
        let mut seen = Vec::new();
        loop {
            let found = logs
                .backward(GROUP, DAY, place, bounds(step), |_| true)
                .unwrap();
            seen.splice(0..0, times(&found));
            place = found.place;
            if found.end {
                break;
            }
        }
        assert_eq!(seen, (0..50).collect::<Vec<_>>(), "{step} backward");
    }
}

#[test]
fn bounds_of_octets_and_of_reading_are_held_and_the_rest_comes_later() {
    let (_folder, logs) = logs(&many());
    let tight = Bounds {
        lines: 1000,
        octets: 100_000,
        read: u64::MAX,
    };
    let (mut place, mut seen) = (0, Vec::new());
    loop {
        let found = logs.forward(GROUP, DAY, place, tight, |_| true).unwrap();
        let octets: usize = found.lines.iter().map(|line| line.text.len()).sum();
        assert!(octets <= 100_000 || found.lines.len() == 1);
        seen.extend(times(&found));
        place = found.place;
        if found.end {
            break;
        }
    }
    assert_eq!(seen.len(), 50);
    // Nothing is wanted: a look ends all the same.
    let short = Bounds {
        read: 1000,
        ..tight
    };
    let found = logs.forward(GROUP, DAY, 0, short, |_| false).unwrap();
    assert!(!found.end && found.lines.is_empty() && found.place >= 1000);
}

#[test]
fn half_a_line_is_not_there_until_it_is_whole() {
    let whole = format!("{}{{\"ha\n{}", text(1, 0), text(2, 0));
    let (folder, logs) = logs(&format!("{whole}{{\"event_timestamp\":3"));
    let found = logs.forward(GROUP, DAY, 0, bounds(10), |_| true).unwrap();
    assert_eq!(times(&found), [1, 2]);
    assert!(found.end && found.place == whole.len() as u64);
    let back = logs
        .backward(GROUP, DAY, u64::MAX, bounds(10), |_| true)
        .unwrap();
    assert_eq!(times(&back), [1, 2]);
    let path = folder.path().join("aws/G/id/2026-11-22.jsonl");
    fs::write(&path, format!("{whole}{{\"event_timestamp\":3}}\n")).unwrap();
    let found = logs
        .forward(GROUP, DAY, found.place, bounds(10), |_| true)
        .unwrap();
    assert_eq!(times(&found), [3]);
}

#[test]
fn groups_and_streams_are_what_the_folder_has() {
    let (folder, logs) = logs(&text(7, 0));
    fs::create_dir_all(folder.path().join("campanile/Events/id")).unwrap();
    fs::write(
        folder.path().join("campanile/Events/id/2026-11-21.jsonl"),
        "",
    )
    .unwrap();
    fs::write(folder.path().join("campanile/Events/id/notes.txt"), "").unwrap();
    assert_eq!(
        logs.groups().unwrap(),
        ["/aws/G/id", "/campanile/Events/id"]
    );
    assert_eq!(logs.stream_names(GROUP).unwrap(), [DAY]);
    let stream = logs.stream(GROUP, DAY).unwrap();
    assert_eq!(
        (stream.first_ms, stream.last_ms, stream.size),
        (Some(7), Some(7), text(7, 0).len() as u64)
    );
    assert_eq!(
        logs.stream("/campanile/Events/id", "2026-11-21")
            .unwrap()
            .first_ms,
        None
    );
    for name in [
        "/aws",
        "/aws/G/../G/id",
        "/aws/G/./id",
        "aws/G/id",
        "//aws/G/id",
        "/aws/G/id/",
        "/",
        "",
    ] {
        assert!(!logs.has(name), "{name}");
        assert!(logs.stream_names(name).unwrap().is_empty(), "{name}");
        assert!(logs.stream(name, DAY).is_err(), "{name}");
    }
    assert!(logs.has(GROUP) && logs.stream(GROUP, "../../../x").is_err());
    assert!(
        Logs::new(folder.path().join("none"))
            .groups()
            .unwrap()
            .is_empty()
    );
}
