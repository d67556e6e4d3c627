//! What the API costs: reads at 200 requests/s over HTTPS, a cold start, and pages of lists, each on a small database
//! and on one of 100,000 users and 10,000 numbers. SQLite; asserts nothing of time, as a machine may be busy.
//!
//! ```text
//! tools/api-load
//! ```

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use campanile::store::seal::Place;
use campanile::store::{Database, KeySource, Store};
use sqlx::{AnyConnection, Connection};

use crate::support::server::Server;
use crate::support::signed::Client;

/// Requests per second, and for how long of each kind.
const RATE: u32 = 200;
const SECONDS: u32 = 10;

/// Connections that they go over, in turn.
const CONNECTIONS: u32 = 8;

/// Sizes of the two databases.
const SIZES: [Size; 2] = [
    Size {
        users: 1_000,
        numbers: 100,
    },
    Size {
        users: 100_000,
        numbers: 10_000,
    },
];

#[derive(Clone, Copy)]
struct Size {
    users: u32,
    numbers: u32,
}

/// One kind of request: its name, path and query.
type Kind = (&'static str, String, Vec<(&'static str, String)>);

/// What it took.
struct Cost {
    p50: Duration,
    p99: Duration,
    most: Duration,
    /// Of the server, by the kernel's account.
    cpu_per_request: Duration,
}

#[test]
#[ignore = "measures for some minutes: tools/api-load"]
fn figures_of_the_api() {
    let mut lines = Vec::new();
    let mut starts = Vec::new();
    for size in SIZES {
        let mut server = Server::start(&[]);
        let meeting = server.meeting_create();
        let account = Client::new(&server).ask("POST", "/accounts", &[], r#"{"Name":"many"}"#);
        let account = account["Account"]["AccountId"].as_str().unwrap().to_owned();
        server.stop();
        fill(&server, &account, size);
        let begun = Instant::now();
        server.start_again();
        starts.push((size, begun.elapsed(), cpu(&server)));
        let user = user_id(size.users / 2);
        let middle = middle_of_the_list(&server, &account, size);
        let page = ("max-results", "100".to_owned());
        let users = format!("/accounts/{account}/users");
        let kinds: [Kind; 5] = [
            ("GetUser", format!("{users}/{user}"), vec![]),
            ("ListUsers, first 100", users.clone(), vec![page.clone()]),
            (
                "ListUsers, 100 in the middle",
                users,
                vec![page.clone(), ("next-token", middle)],
            ),
            (
                "ListPhoneNumbers, 100",
                "/phone-numbers".to_owned(),
                vec![page],
            ),
            (
                "GetMeeting",
                format!("/meetings/{}", meeting.meeting_id),
                vec![],
            ),
        ];
        let costs: Vec<_> = kinds.iter().map(|kind| measured(&server, kind)).collect();
        lines.push(
            kinds
                .iter()
                .map(|kind| kind.0)
                .zip(costs)
                .collect::<Vec<_>>(),
        );
    }
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    for (size, took, cpu) in starts {
        let Size { users, numbers } = size;
        eprintln!(
            "cold start with {users} users and {numbers} numbers: {:.0} ms to ready.json, {:.0} ms of CPU",
            ms(took),
            ms(cpu)
        );
    }
    eprintln!(
        "{RATE} requests/s for {SECONDS} s, ms from when each was due; CPU of the server for each"
    );
    eprintln!("| request | users | p50 | p99 | max | CPU | CPU to that of 1,000 users |");
    eprintln!("| --- | --- | --- | --- | --- | --- | --- |");
    let (small, large) = (&lines[0], &lines[1]);
    for ((name, one), (_, other)) in small.iter().zip(large) {
        for (size, cost) in SIZES.iter().zip([one, other]) {
            eprintln!(
                "| {name} | {} | {:.2} | {:.2} | {:.1} | {:.2} | {:.2} |",
                size.users,
                ms(cost.p50),
                ms(cost.p99),
                ms(cost.most),
                ms(cost.cpu_per_request),
                cost.cpu_per_request.as_secs_f64() / one.cpu_per_request.as_secs_f64()
            );
        }
    }
}

/// Sends requests of one kind, each when it is due, whether or not those before it are answered.
fn measured(server: &Server, kind: &Kind) -> Cost {
    let (_, path, query) = kind;
    let query: Vec<(&str, &str)> = query.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let mut clients: Vec<Client> = (0..CONNECTIONS).map(|_| Client::new(server)).collect();
    // Connections are made, pages are in memory: what is measured is a server that runs.
    for client in &mut clients {
        client.ask("GET", path, &query, "");
    }
    let (before, begun) = (cpu(server), Instant::now() + Duration::from_millis(50));
    let count = RATE * SECONDS;
    let mut times: Vec<Duration> = thread::scope(|scope| {
        let threads: Vec<_> = (0..)
            .zip(clients)
            .map(|(which, mut client)| {
                let request = client.request("GET", path, &query, "");
                scope.spawn(move || {
                    let mine = (which..count).step_by(CONNECTIONS as usize);
                    mine.map(|number| {
                        let due = begun + Duration::from_secs(1) * number / RATE;
                        thread::sleep(due.saturating_duration_since(Instant::now()));
                        let (status, _) = client.exchange(&request);
                        assert_eq!(status, 200);
                        due.elapsed()
                    })
                    .collect::<Vec<_>>()
                })
            })
            .collect();
        let parts = threads.into_iter().map(|thread| thread.join().unwrap());
        parts.flatten().collect()
    });
    let spent = cpu(server).saturating_sub(before);
    times.sort_unstable();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)];
    Cost {
        p50: at(50),
        p99: at(99),
        most: at(100),
        cpu_per_request: spent / count,
    }
}

/// The token of the page that begins after half of the users.
fn middle_of_the_list(server: &Server, account: &str, size: Size) -> String {
    let mut client = Client::new(server);
    let path = format!("/accounts/{account}/users");
    let mut token: Option<String> = None;
    for _ in 0..size.users / 2 / 200 {
        let mut query = vec![("max-results", "200")];
        query.extend(token.as_deref().map(|token| ("next-token", token)));
        let answer = client.ask("GET", &path, &query, "");
        token = Some(answer["NextToken"].as_str().unwrap().to_owned());
    }
    token.unwrap()
}

fn user_id(number: u32) -> String {
    format!("01900000-0000-7000-8000-{number:012x}")
}

/// Puts people and numbers into the database of a server that does not run, in one go.
fn fill(server: &Server, account: &str, size: Size) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let (file, key) = (Database::DataFolder, KeySource::DataFolder);
        let store = Store::open_with(&server.data(), &file, &key).await.unwrap();
        let url = format!("sqlite:{}", server.database());
        let mut database = AnyConnection::connect(&url).await.unwrap();
        let mut transaction = database.begin().await.unwrap();
        for number in 0..size.users {
            let id = user_id(number);
            let place = Place {
                table: "users",
                column: "personal_pin",
                row: &id,
            };
            let pin = store.seal().seal(place, &(1_000_000_000 + number).to_string());
            sqlx::query(
                "INSERT INTO users (user_id, account_id, email, display_name, license_type, user_type, \
                 registration_status, registered_ms, personal_pin, personal_pin_found_by, metadata, telephony, \
                 created_ms) VALUES ($1, $2, 'user' || $3 || '@example.org', 'User ' || $3, 'Pro', 'PrivateUser', \
                 'Registered', 1, $4, $3, '{}', '{}', 1)",
            )
            .bind(id.clone())
            .bind(account.to_owned())
            .bind(number.to_string())
            .bind(pin.unwrap())
            .execute(&mut *transaction)
            .await
            .unwrap();
        }
        for number in 0..size.numbers {
            sqlx::query(
                "INSERT INTO phone_numbers (e164, owner, country, number_type, product_type, order_id, created_ms, \
                 updated_ms) VALUES ($1, $2, 'US', 'Local', 'VoiceConnector', 'filled', 1, 1)",
            )
            .bind(format!("+1206{number:07}"))
            .bind(server.credentials().account_id)
            .execute(&mut *transaction)
            .await
            .unwrap();
        }
        transaction.commit().await.unwrap();
        database.close().await.unwrap();
        store.close().await;
    });
}

/// What the server has used of processors since it started: fields 14 and 15 of `/proc/PID/stat`, in hundredths.
fn cpu(server: &Server) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.ready().pid)).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let fields = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = fields.map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}
