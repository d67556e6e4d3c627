//! Many calls at once: all are answered, each is recorded once, nothing stays behind; and what a call costs.
//!
//! A small share runs with all tests. The whole, with an optimised server on one core and Kamailio beside it:
//!
//! ```text
//! tools/load
//! ```

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::sipp::mu_law;
use crate::support::held::{FRESH, Held};
use crate::support::peers::{peer, repository};
use crate::support::ports::free_port;
use crate::support::running::Running;
use crate::support::server::{Meeting, Server};
use crate::support::sound::Sound;
use crate::support::wait_for;

/// Speakers in each meeting, where others only listen.
const SPEAKERS: usize = 2;

/// G.711 µ-law of silence (ITU-T G.711: the code of +0), as a muted phone sends it.
const SILENCE: u8 = 0xff;

/// So many calls into so many meetings.
#[derive(Clone, Copy)]
struct Load {
    meetings: usize,
    /// Calls that speak all the time.
    speaking: usize,
    /// Calls that send silence all the time.
    listening: usize,
    /// New calls per second.
    rate: usize,
    /// How long nothing changes, once all are there.
    steady: Duration,
}

/// How long the last may take to be there, on a busy machine.
const ARRIVING: Duration = Duration::from_secs(10);

/// What a load cost.
struct Cost {
    /// Share of a core while nothing changed, by the kernel's account, 1 for all of it.
    cores: f64,
    /// Resident memory before the first call and with all of them, in KiB.
    resident_kib: (u64, u64),
}

impl Load {
    fn calls(&self) -> usize {
        self.speaking + self.listening
    }

    /// Runs it on a server of its own, on one core, and checks what it promised. `None` when SIPp is missing.
    fn run(&self) -> Option<Cost> {
        let sipp = peer("sipp")?;
        let server = start();
        let meetings: Vec<Meeting> = (0..self.meetings)
            .map(|_| server.meeting_create())
            .collect();
        let arriving = Duration::from_secs_f64(self.calls() as f64 / self.rate as f64);
        // Everybody stays until the last have been there for the steady time.
        let hold = arriving + ARRIVING + self.steady;
        let seconds = hold.as_secs_f64();
        let speech = mu_law(&Sound::tone(8000, 440.0, seconds, -12.0));
        let silence = vec![SILENCE; speech.len()];
        let folder = server.scratch("load");
        // What is opened at the first use belongs to the base: one call first.
        let small = Batch {
            name: "first",
            calls: 1,
            rate: 1,
            hold: Duration::from_secs(1),
            sound: &silence,
        };
        small.start(&sipp, &folder, &server, &meetings).finish();
        records(&server, 1);
        sleep(FRESH * 2);
        let base = Held::by(&server);
        let resident = resident_kib(&server);
        let begin = Instant::now();
        let mut batches = Vec::new();
        for (name, calls, sound) in [
            ("speaking", self.speaking, &speech),
            ("listening", self.listening, &silence),
        ] {
            if calls == 0 {
                continue;
            }
            let batch = Batch {
                name,
                calls,
                rate: self.rate,
                hold,
                sound,
            };
            batches.push(batch.start(&sipp, &folder, &server, &meetings));
            sleep(Duration::from_secs_f64(calls as f64 / self.rate as f64));
        }
        wait_for("all to be there at once", ARRIVING, || {
            (answered(&server) == self.calls() as u64 + 1).then_some(())
        });
        let (from, cpu) = (Instant::now(), cpu_seconds(server.ready().pid));
        let with_all = resident_kib(&server);
        sleep(self.steady);
        let cores = (cpu_seconds(server.ready().pid) - cpu) / from.elapsed().as_secs_f64();
        assert!(begin.elapsed() < hold, "the first had left already");
        for batch in batches {
            batch.finish();
        }
        let at_end = Held::by(&server);
        records(&server, self.calls() + 1);
        let after = base.quiet(&server);
        eprintln!(
            "{} calls ({} speaking) at {}/s into {} meetings, all answered, each recorded once; before {base:?}, \
             at their end {at_end:?}, after {after:?}",
            self.calls(),
            self.speaking,
            self.rate,
            self.meetings
        );
        Some(Cost {
            cores,
            resident_kib: (resident, with_all),
        })
    }
}

/// The server of a load: on the first core, with its ordinary log.
fn start() -> Server {
    let server = Server::start(&[
        ("log.level", "info"),
        ("limits.joins_per_minute", "1000000"),
    ]);
    pin(server.ready().pid);
    server
}

/// Gives all threads of a process the first core.
fn pin(pid: u32) {
    let status = Command::new("taskset")
        .args(["-a", "-p", "-c", "0", &pid.to_string()])
        .output()
        .unwrap()
        .status;
    assert!(status.success(), "taskset");
}

/// Calls of one kind.
struct Batch<'a> {
    name: &'static str,
    calls: usize,
    rate: usize,
    hold: Duration,
    sound: &'a [u8],
}

/// A SIPp that makes them.
struct Callers {
    process: Running,
    most: Duration,
}

impl Batch<'_> {
    fn start(&self, sipp: &Path, folder: &Path, server: &Server, meetings: &[Meeting]) -> Callers {
        let sound = folder.join(format!("{}.ul", self.name));
        fs::write(&sound, self.sound).unwrap();
        let scenario = fs::read_to_string(repository().join("tests/interop/sipp-call.xml"))
            .unwrap()
            .replace("[service]", "[field0]")
            .replace("\"SOUND,", &format!("\"{},", sound.display()))
            .replace("\"PAUSE\"", &format!("\"{}\"", self.hold.as_millis()));
        let pins = meetings.iter().map(|meeting| meeting.pin.as_str());
        call(
            sipp,
            folder,
            self,
            server.ready().sip_udp.unwrap(),
            &scenario,
            pins,
        )
    }
}

/// Starts SIPp on calls whose user part goes through `users` again and again.
fn call<'a>(
    sipp: &Path,
    folder: &Path,
    batch: &Batch<'_>,
    to: SocketAddr,
    scenario: &str,
    users: impl Iterator<Item = &'a str>,
) -> Callers {
    let name = batch.name;
    let file = folder.join(format!("{name}.xml"));
    fs::write(&file, scenario).unwrap();
    let mut list = "SEQUENTIAL\n".to_owned();
    for user in users {
        writeln!(list, "{user};").unwrap();
    }
    let injected = folder.join(format!("{name}.csv"));
    fs::write(&injected, list).unwrap();
    let number = |n: usize| n.to_string();
    let mut command = Command::new(sipp);
    command
        .current_dir(folder)
        .args(["-t", "u1", "-i", "127.0.0.1", "-mi", "127.0.0.1"])
        .args(["-p", &free_port().to_string(), "-nostdin", "-trace_err"])
        .args(["-m", &number(batch.calls), "-l", &number(batch.calls)])
        .args(["-r", &number(batch.rate), "-recv_timeout", "10000"])
        .arg("-inf")
        .arg(injected)
        .arg("-sf")
        .arg(file)
        .arg(to.to_string());
    let arriving = Duration::from_secs_f64(batch.calls as f64 / batch.rate as f64);
    Callers {
        process: Running::start(name, &mut command, &folder.join(format!("{name}.log"))),
        most: arriving + batch.hold + Duration::from_secs(60),
    }
}

impl Callers {
    /// Waits for the last, and checks that every call went as the scenario says.
    fn finish(mut self) {
        let status = self.process.wait(self.most);
        assert!(status.success(), "{}", self.process.output());
    }
}

/// Waits until as many calls have a record, and checks that each has one.
fn records(server: &Server, calls: usize) {
    let ids: Vec<String> = wait_for("the call records", Duration::from_secs(60), || {
        let objects = server.objects();
        let ids: Vec<String> = objects
            .iter()
            .filter(|(key, _)| key.contains("Amazon-Chime-Voice-Connector-CDRs/json/"))
            .map(|(_, text)| {
                let record: serde_json::Value = serde_json::from_slice(text).unwrap();
                record["CallId"].as_str().unwrap().to_owned()
            })
            .collect();
        (ids.len() >= calls).then_some(ids)
    });
    let different: HashSet<&String> = ids.iter().collect();
    assert_eq!((ids.len(), different.len()), (calls, calls));
}

/// Calls that the server says it has answered.
fn answered(server: &Server) -> u64 {
    let page = server.metrics();
    let lines = page
        .lines()
        .filter(|line| line.starts_with("campanile_calls_answered_total"));
    lines
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum()
}

/// What a process and its children have used of processors so far, in seconds, by the names of their threads.
fn usage(pid: u32) -> BTreeMap<String, f64> {
    let family = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let folder = entry.ok()?.path();
        let (own, _, parent, _) = stat(&folder)?;
        (own == pid || parent == pid).then_some(folder)
    });
    let mut usage = BTreeMap::new();
    for folder in family {
        let Ok(tasks) = fs::read_dir(folder.join("task")) else {
            continue;
        };
        for (_, name, _, seconds) in tasks.filter_map(|task| stat(&task.ok()?.path())) {
            *usage.entry(name).or_default() += seconds;
        }
    }
    usage
}

/// The id, the name, the parent and the processor time of a process or thread (proc(5)).
fn stat(folder: &Path) -> Option<(u32, String, u32, f64)> {
    let stat = fs::read_to_string(folder.join("stat")).ok()?;
    // The name in brackets may hold anything; the state, the parent's id and so on follow.
    let (id_and_name, rest) = stat.rsplit_once(") ")?;
    let (id, name) = id_and_name.split_once(" (")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    let seconds = ticks as f64 / TICKS_PER_SECOND;
    Some((
        id.parse().ok()?,
        name.into(),
        fields.get(1)?.parse().ok()?,
        seconds,
    ))
}

/// The same as one figure.
fn cpu_seconds(pid: u32) -> f64 {
    usage(pid).values().sum()
}

/// USER_HZ, which is 100 wherever Linux runs.
const TICKS_PER_SECOND: f64 = 100.0;

/// Resident memory, in KiB.
fn resident_kib(server: &Server) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/status", server.ready().pid)).unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn some_calls_at_once_are_all_answered_recorded_once_and_leave_nothing_behind() {
    let load = Load {
        meetings: 5,
        speaking: 10,
        listening: 10,
        rate: 20,
        steady: Duration::from_secs(1),
    };
    load.run();
}

/// Calls without media, hung up at once, at such a rate.
const SHORT_CALLS: usize = 3000;
const SHORT_RATE: usize = 100;

/// Milliseconds of processor that each of them costs, and which threads of a server use them.
fn short_calls(
    sipp: &Path,
    folder: &Path,
    to: SocketAddr,
    pid: u32,
    users: &[&str],
) -> (f64, String) {
    let scenario = fs::read_to_string(repository().join("tests/interop/sipp-call.xml")).unwrap();
    let (before, playing) = scenario.split_once("  <nop>").unwrap();
    let (_, after) = playing.split_once("\"PAUSE\" />").unwrap();
    let scenario = format!("{before}{after}")
        .replace("[service]", "[field0]")
        .replace("[rtpstream_audio_port]", "9");
    let mut batch = Batch {
        name: "warm",
        calls: 100,
        rate: SHORT_RATE,
        hold: Duration::ZERO,
        sound: &[],
    };
    call(sipp, folder, &batch, to, &scenario, users.iter().copied()).finish();
    sleep(FRESH);
    let before = usage(pid);
    batch.name = "short";
    batch.calls = SHORT_CALLS;
    call(sipp, folder, &batch, to, &scenario, users.iter().copied()).finish();
    sleep(FRESH);
    let cost = |(name, seconds): (&String, &f64)| {
        let more = seconds - before.get(name).copied().unwrap_or_default();
        (name.clone(), more * 1000.0 / SHORT_CALLS as f64)
    };
    let costs: Vec<(String, f64)> = usage(pid).iter().map(cost).collect();
    let parts: Vec<String> = costs
        .iter()
        .filter(|(_, ms)| *ms >= 0.005)
        .map(|(name, ms)| format!("{name} {ms:.2}"))
        .collect();
    (costs.iter().map(|(_, ms)| ms).sum(), parts.join(", "))
}

/// Kamailio that answers every call by itself, with transactions. `None` when it is missing.
fn kamailio(folder: &Path) -> Option<(Running, SocketAddr)> {
    let program = peer("kamailio")?;
    let here: SocketAddr = ([127, 0, 0, 1], free_port()).into();
    let file = folder.join("kamailio.cfg");
    fs::write(&file, KAMAILIO.replace("HERE", &here.to_string())).unwrap();
    let mut command = Command::new(program);
    command
        .args(["-DD", "-E", "-w"])
        .arg(folder)
        .arg("-Y")
        .arg(folder)
        .arg("-f")
        .arg(&file);
    let running = Running::start("kamailio", &mut command, &folder.join("kamailio.log"));
    sleep(Duration::from_secs(2));
    let children = format!("/proc/{0}/task/{0}/children", running.pid());
    let children = fs::read_to_string(children).unwrap();
    assert!(!children.is_empty(), "{}", running.output());
    for pid in children.split_whitespace() {
        pin(pid.parse().unwrap());
    }
    Some((running, here))
}

/// One worker, UDP; INVITE is answered 200 with a session description, BYE with 200, each in its transaction.
const KAMAILIO: &str = r#"#!KAMAILIO
debug=0
log_stderror=yes
children=1
disable_tcp=yes
auto_aliases=no
dns=no
rev_dns=no
listen=udp:HERE
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "textops.so"
request_route {
    if (is_method("ACK")) { exit; }
    if (!t_newtran()) { exit; }
    if (is_method("INVITE")) {
        t_reply("100", "Trying");
        append_to_reply("Contact: <sip:HERE>\r\n");
        set_reply_body("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n", "application/sdp");
    }
    t_reply("200", "OK");
}
"#;

/// One after the other; `None` when SIPp is missing.
fn runs(loads: [Load; 3]) -> Option<[Cost; 3]> {
    let [first, second, third] = loads;
    Some([first.run()?, second.run()?, third.run()?])
}

#[test]
#[ignore = "some minutes: tools/load runs it, with an optimised server"]
fn calls_at_full_count_and_what_they_cost() {
    let full = Load {
        meetings: 10,
        speaking: 10 * SPEAKERS,
        listening: 200 - 10 * SPEAKERS,
        rate: 20,
        steady: Duration::from_secs(20),
    };
    let few = Load {
        listening: 0,
        ..full
    };
    let all = Load {
        speaking: 200,
        listening: 0,
        ..full
    };
    let Some([idle, cost, talking]) = runs([few, full, all]) else {
        return;
    };
    let (before, with_all) = cost.resident_kib;
    eprintln!(
        "{} speakers: {:.1} % of a core; with {} silent listeners: {:.1} % ({:.1} KiB resident per call); \
         200 speakers: {:.1} %",
        full.speaking,
        idle.cores * 100.0,
        full.listening,
        cost.cores * 100.0,
        (with_all.saturating_sub(before)) as f64 / full.calls() as f64,
        talking.cores * 100.0,
    );
    eprintln!(
        "per silent listener: {:.3} % of a core; per call: {:.3} % (of 200, {} speaking), {:.3} % (all speaking)",
        (cost.cores - idle.cores) * 100.0 / full.listening as f64,
        cost.cores * 100.0 / full.calls() as f64,
        full.speaking,
        talking.cores * 100.0 / 200.0,
    );
}

#[test]
#[ignore = "a minute: tools/load runs it, with an optimised server"]
fn short_calls_at_full_count_beside_kamailios() {
    let Some(sipp) = peer("sipp") else { return };
    let server = start();
    let meetings: Vec<Meeting> = (0..10).map(|_| server.meeting_create()).collect();
    let pins: Vec<&str> = meetings
        .iter()
        .map(|meeting| meeting.pin.as_str())
        .collect();
    let to = server.ready().sip_udp.unwrap();
    let folder = server.scratch("short");
    let (ours, parts) = short_calls(&sipp, &folder, to, server.ready().pid, &pins);
    let folder = tempfile::tempdir().unwrap();
    let Some((kamailio, to)) = kamailio(folder.path()) else {
        return;
    };
    let (theirs, _) = short_calls(&sipp, folder.path(), to, kamailio.pid(), &["anybody"]);
    eprintln!(
        "a call without media, INVITE to BYE, {SHORT_CALLS} at {SHORT_RATE}/s: {ours:.2} ms of processor \
         ({parts}); Kamailio, which only answers: {theirs:.2} ms; ratio {:.1}",
        ours / theirs
    );
}
