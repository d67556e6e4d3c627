//! The real page in the real browser: one headless Chromium each, with a tone for its microphone.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::pace;
use super::peers::{peer, repository};
use super::wait_for;

/// How long something that travels over the server may take to be seen in another page.
const SEEN: Duration = Duration::from_secs(30);

/// How long sound may take to be as it should: a slow machine may still play what came before.
pub(crate) const SETTLED: Duration = Duration::from_secs(40);

/// How long a page may take to find that its server is gone, and to come back: the SDK waits up to 5 s between tries.
const COMING_BACK: Duration = Duration::from_secs(60);

/// Where a page stands.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct State {
    /// `idle`, `connecting`, `connected`, `reconnecting` or `ended`.
    pub(crate) meeting: String,
    /// Its attendee id, once in a meeting.
    pub(crate) attendee: Option<String>,
    /// Why its meeting is over, once it is.
    pub(crate) ended: Option<String>,
    /// Why it was not let in, when it was not.
    pub(crate) refused: Option<String>,
    /// The notice that it shows.
    pub(crate) notice: String,
}

/// A row of the roster.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Person {
    pub(crate) attendee: String,
    pub(crate) name: String,
    #[serde(rename = "self")]
    pub(crate) is_self: bool,
    pub(crate) muted: bool,
    pub(crate) speaking: bool,
    pub(crate) active_speaker: bool,
}

/// One frequency in what a page played.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Heard {
    pub(crate) hz: f64,
    /// Share of the moments in which it was louder than -45 dBFS.
    pub(crate) share: f64,
    /// In dB below full scale.
    pub(crate) loudest: f64,
}

/// A picture, watched for a second.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Share of the pixels that changed clearly.
    pub(crate) changed: f64,
    /// Decoded frames; below zero where the player was begun anew meanwhile.
    pub(crate) frames: i64,
}

/// A line of the chat.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ChatLine {
    pub(crate) from: String,
    pub(crate) text: String,
}

/// What the page says to those who join by phone.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct DialIn {
    pub(crate) dial_string: String,
    pub(crate) pin: String,
    pub(crate) link: String,
}

/// A browser with one page.
pub(crate) struct Page {
    name: String,
    folder: PathBuf,
    driver: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Page {
    /// Starts a browser whose microphone plays `tone` Hz. `None` after a loud line when Chromium, Node or
    /// the driver's packages are missing.
    pub(crate) fn open(folder: &Path, name: &str, tone: f64) -> Option<Self> {
        pace::watch();
        let chromium = peer("chromium")?;
        let node = peer("node")?;
        let scripts = repository().join("tests/browser");
        assert!(
            scripts.join("node_modules/playwright-core").is_dir(),
            "tests/browser/node_modules is missing: tools/test makes it"
        );
        fs::create_dir_all(folder).unwrap();
        let mut driver = Command::new(node)
            .arg(scripts.join("page.mjs"))
            .arg(folder.join("profile"))
            .arg(tone.to_string())
            .env("CHROMIUM", chromium)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(folder.join("driver.log")).unwrap())
            .spawn()
            .unwrap();
        let input = driver.stdin.take().unwrap();
        let output = BufReader::new(driver.stdout.take().unwrap());
        Some(Self {
            name: name.into(),
            folder: folder.into(),
            driver,
            input,
            output,
        })
    }

    /// Goes to a meeting's link and in; waits until it is in, or was refused.
    pub(crate) fn join(&mut self, url: &str, camera: bool) -> State {
        let name = self.name.clone();
        self.ask(&json!({ "do": "join", "url": url, "name": name, "camera": camera }))
    }

    /// Goes to a meeting's link and asks to be let in; does not wait for what comes of it.
    pub(crate) fn knock(&mut self, url: &str) {
        let name = self.name.clone();
        self.ask::<Value>(&json!({ "do": "knock", "url": url, "name": name }));
    }

    /// Goes in, or panics with the page's own words.
    pub(crate) fn join_well(&mut self, url: &str, camera: bool) {
        let state = self.join(url, camera);
        let messages = self.messages();
        assert_eq!(
            state.meeting, "connected",
            "{} is not in: {state:?}\n{messages:#?}",
            self.name
        );
    }

    /// Where it stands.
    pub(crate) fn state(&mut self) -> State {
        self.ask(&json!({ "do": "state" }))
    }

    /// Waits until it stands as `fits` wants.
    pub(crate) fn wait_for_state(&mut self, what: &str, fits: impl Fn(&State) -> bool) -> State {
        wait_for(&format!("{} to be {what}", self.name), COMING_BACK, || {
            Some(self.state()).filter(&fits)
        })
    }

    /// Its roster.
    pub(crate) fn people(&mut self) -> Vec<Person> {
        self.ask(&json!({ "do": "people" }))
    }

    /// Waits until the roster shows somebody as `fits` wants.
    pub(crate) fn wait_for_person(
        &mut self,
        name: &str,
        what: &str,
        fits: impl Fn(&Person) -> bool,
    ) -> Person {
        wait_for(
            &format!("{name} {what} in the roster of {}", self.name),
            SEEN,
            || {
                self.people()
                    .into_iter()
                    .find(|person| person.name == name && fits(person))
            },
        )
    }

    /// Waits until somebody is gone from the roster.
    pub(crate) fn wait_until_gone(&mut self, name: &str) {
        wait_for(
            &format!("{name} to leave the roster of {}", self.name),
            SEEN,
            || {
                self.people()
                    .iter()
                    .all(|person| person.name != name)
                    .then_some(())
            },
        );
    }

    /// Presses `mute`, `camera` or `share`.
    pub(crate) fn press(&mut self, button: &str) {
        self.ask::<Value>(&json!({ "do": "press", "button": button }));
    }

    /// Leaves by the button.
    pub(crate) fn leave(&mut self) -> State {
        self.ask(&json!({ "do": "leave" }))
    }

    /// Sends a chat message.
    pub(crate) fn chat(&mut self, text: &str) {
        self.ask::<Value>(&json!({ "do": "chat", "text": text }));
    }

    /// Waits for a chat message.
    pub(crate) fn wait_for_chat(&mut self, from: &str, text: &str) {
        wait_for(
            &format!("{text:?} from {from} in the chat of {}", self.name),
            SEEN,
            || {
                let lines: Vec<ChatLine> = self.ask(&json!({ "do": "chat_lines" }));
                lines
                    .into_iter()
                    .find(|line| line.from == from && line.text == text)
            },
        );
    }

    /// Its words for phones.
    pub(crate) fn dial_in(&mut self) -> DialIn {
        self.ask(&json!({ "do": "dial_in" }))
    }

    /// Listens to what it plays.
    pub(crate) fn hear(&mut self, tones: &[f64], seconds: f64) -> Vec<Heard> {
        self.ask(&json!({ "do": "hear", "tones": tones, "seconds": seconds }))
    }

    /// Waits until all of `others` are heard more often than not, and none of `nobody`.
    pub(crate) fn wait_until_heard(&mut self, others: &[f64], nobody: &[f64]) {
        let tones = [others, nobody].concat();
        wait_for(
            &format!("{} to hear {others:?} and not {nobody:?}", self.name),
            SETTLED,
            || {
                let heard = self.hear(&tones, 3.0);
                let (those, rest) = heard.split_at(others.len());
                let well = those.iter().all(|tone| tone.share > 0.5)
                    && rest.iter().all(|tone| tone.share < 0.05);
                if !well {
                    eprintln!("{} heard {heard:?}", self.name);
                }
                well.then_some(())
            },
        );
    }

    /// Waits until somebody's picture moves.
    pub(crate) fn wait_for_moving_picture(&mut self, of: &str) -> Picture {
        wait_for(
            &format!("a moving picture of {of} at {}", self.name),
            SEEN,
            || {
                let picture: Picture = self.ask(&json!({ "do": "watch", "name": of }));
                (picture.frames > 0 && picture.changed > 0.005).then_some(picture)
            },
        )
    }

    /// From its next visit on, it tells the server another DTLS fingerprint than its own.
    pub(crate) fn tamper(&mut self) {
        self.ask::<Value>(&json!({ "do": "tamper" }));
    }

    /// From its next visit on, [`Page::garbage`] can be sent.
    pub(crate) fn tap(&mut self) {
        self.ask::<Value>(&json!({ "do": "tap" }));
    }

    /// Sends frames of chance octets on its signaling connection, until it is closed; how many went.
    pub(crate) fn garbage(&mut self, count: usize) -> usize {
        self.ask(&json!({ "do": "garbage", "count": count }))
    }

    /// Takes the network from the page, or gives it back.
    pub(crate) fn offline(&mut self, on: bool) {
        self.ask::<Value>(&json!({ "do": "offline", "on": on }));
    }

    /// Takes a picture of the page.
    pub(crate) fn screenshot(&mut self, path: &Path) {
        self.ask::<Value>(&json!({ "do": "screenshot", "path": path }));
    }

    /// Runs an expression in the page.
    pub(crate) fn evaluate<T: for<'a> Deserialize<'a>>(&mut self, expression: &str) -> T {
        self.ask(&json!({ "do": "evaluate", "expression": expression }))
    }

    /// What the page wrote to its console.
    pub(crate) fn messages(&mut self) -> Vec<String> {
        self.ask(&json!({ "do": "messages" }))
    }

    fn ask<T: for<'a> Deserialize<'a>>(&mut self, question: &Value) -> T {
        writeln!(self.input, "{question}")
            .and_then(|()| self.input.flush())
            .unwrap_or_else(|error| self.dead(&error.to_string()));
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        if line.is_empty() {
            self.dead("no answer");
        }
        let answer: Value = serde_json::from_str(&line).unwrap();
        if let Some(error) = answer.get("error") {
            panic!("{}: {}", self.name, error.as_str().unwrap_or_default());
        }
        serde_json::from_value(answer["ok"].clone())
            .unwrap_or_else(|error| panic!("{}: {error}: {line}", self.name))
    }

    fn dead(&self, why: &str) -> ! {
        let log = fs::read_to_string(self.folder.join("driver.log")).unwrap_or_default();
        panic!("the browser of {} is gone ({why}):\n{log}", self.name);
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // What the person would have seen and the console said; both help more than a stack.
            let _ = writeln!(
                self.input,
                "{}",
                json!({ "do": "screenshot", "path": failed_picture(&self.name) })
            );
            let _ = writeln!(self.input, "{}", json!({ "do": "messages" }));
            let _ = writeln!(self.input, "{}", json!({ "do": "media" }));
        }
        let _ = writeln!(self.input, "{}", json!({ "do": "quit" }));
        let _ = self.input.flush();
        for _ in 0..100 {
            if self.driver.try_wait().is_ok_and(|status| status.is_some()) {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        if std::thread::panicking() {
            let mut rest = String::new();
            while self
                .output
                .read_line(&mut rest)
                .is_ok_and(|count| count > 0)
            {}
            eprintln!(
                "--- {} ---\n{rest}picture: {}",
                self.name,
                failed_picture(&self.name).display()
            );
        }
    }
}

fn failed_picture(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("campanile-failed-{name}.png"))
}
