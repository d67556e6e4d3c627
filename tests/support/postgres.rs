//! A PostgreSQL of the tests' own: a cluster in a temporary folder behind a Unix socket, which ends with its owner.
//!
//! Tests that hold on both databases are written once. Where [`DATABASE`] names a server, they make a database of
//! their own on it; a test that owns a [`Cluster`] runs them so.

use std::env;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::peers::missing;

/// The environment variable with the URL of a server's database `postgres`, for tests that hold on both databases.
pub(crate) const DATABASE: &str = "CAMPANILE_TEST_DATABASE";

/// A URL of a new database where the tests are to run on PostgreSQL; `None` where they run on SQLite.
pub(crate) fn database_if_wanted() -> Option<String> {
    let server = env::var(DATABASE).ok().filter(|url| !url.is_empty())?;
    static MADE: AtomicU32 = AtomicU32::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let name = format!("test_{}_{number}", std::process::id());
    Some(make_database(&server, &name))
}

/// A running cluster. It is stopped when this goes, and its folder goes with it.
pub(crate) struct Cluster {
    folder: TempDir,
    programs: PathBuf,
    user: Option<(u32, u32)>,
    server: Option<Child>,
    port: u16,
}

/// Whether what was acknowledged must outlive the machine, or only the test.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Syncing {
    On,
    Off,
}

impl Cluster {
    /// Starts one; `None` after a loud line where PostgreSQL is missing.
    ///
    /// Its databases compare text as people do, not by octets, and everybody must give a password: so that nothing
    /// works only because a database happened to be made for us.
    pub(crate) fn start(syncing: Syncing) -> Option<Self> {
        let Some(programs) = programs() else {
            return missing("PostgreSQL (initdb, postgres)");
        };
        let folder = TempDir::with_prefix("campanile-pg-").unwrap();
        let user = other_user();
        if let Some((uid, gid)) = user {
            chown(folder.path(), Some(uid), Some(gid)).unwrap();
        }
        let mut cluster = Self {
            folder,
            programs,
            user,
            server: None,
            port: 5432,
        };
        let password = cluster.folder.path().join("password");
        fs::write(&password, PASSWORD).unwrap();
        if let Some((uid, gid)) = user {
            chown(&password, Some(uid), Some(gid)).unwrap();
        }
        let data = cluster.folder.path().join("data");
        let mut initdb = cluster.command("initdb");
        initdb.arg("-D").arg(&data).arg("--pwfile").arg(&password);
        initdb.args(["-U", USER, "-A", "scram-sha-256", "-E", "UTF8", "--no-sync"]);
        initdb.args(["--locale-provider=icu", "--icu-locale=en-US", "--locale=C"]);
        let done = initdb.stdin(Stdio::null()).output().unwrap();
        assert!(
            done.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        let off = if syncing == Syncing::On { "on" } else { "off" };
        let settings = format!(
            "listen_addresses = ''\nunix_socket_directories = '{}'\nmax_connections = 200\nfsync = {off}\n\
             full_page_writes = {off}\nshared_buffers = 16MB\n",
            cluster.folder.path().display()
        );
        let file = data.join("postgresql.auto.conf");
        fs::write(&file, settings).unwrap();
        cluster.run();
        Some(cluster)
    }

    /// The URL of its database `postgres`, password and all.
    pub(crate) fn url(&self) -> String {
        let (folder, port) = (self.folder.path().display(), self.port);
        format!("postgres://{USER}:{PASSWORD}@localhost:{port}/postgres?host={folder}")
    }

    /// Speaks TCP too from the next start on, on this port of 127.0.0.1, with this certificate and with nobody who does
    /// not encrypt.
    pub(crate) fn encrypt(&mut self, certificate: &Path, key: &Path, port: u16) {
        let data = self.folder.path().join("data");
        for (from, name) in [(certificate, "server.crt"), (key, "server.key")] {
            let to = data.join(name);
            fs::copy(from, &to).unwrap();
            // It refuses a key that others may read, or that is another's.
            fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).unwrap();
            if let Some((uid, gid)) = self.user {
                chown(&to, Some(uid), Some(gid)).unwrap();
            }
        }
        fs::write(
            data.join("pg_hba.conf"),
            "local all all scram-sha-256\nhostssl all all 127.0.0.1/32 scram-sha-256\n",
        )
        .unwrap();
        let settings = data.join("postgresql.auto.conf");
        let mut said = fs::read_to_string(&settings).unwrap();
        said.push_str(&format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nssl = on\n"
        ));
        fs::write(&settings, said).unwrap();
        self.port = port;
    }

    /// The socket that it listens on.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join(format!(".s.PGSQL.{}", self.port))
    }

    /// What a query answers, as text.
    pub(crate) fn query(&self, database: &str, sql: &str) -> String {
        let done = self
            .command("psql")
            .args(["-At", "-c", sql, database])
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).unwrap()
    }

    /// The URL of a new database.
    pub(crate) fn database(&self, name: &str) -> String {
        make_database(&self.url(), name)
    }

    /// Every text in a database, as `pg_dump` writes it.
    pub(crate) fn dump(&self, database: &str) -> String {
        let done = self
            .command("pg_dump")
            .arg(format!("--dbname={database}"))
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "pg_dump: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        String::from_utf8(done.stdout).unwrap()
    }

    /// Ends the server at once, as a crash would; [`Cluster::run`] starts it again.
    pub(crate) fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            end(&mut server);
        }
    }

    /// Starts the server, and waits until it answers.
    pub(crate) fn run(&mut self) {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.log())
            .unwrap();
        let server = self
            .command("postgres")
            .arg("-D")
            .arg(self.folder.path().join("data"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        // Owned from here on: whatever fails below, it is stopped.
        self.server = Some(server);
        let deadline = Instant::now() + STARTING;
        loop {
            let url = self.url();
            let mut asked = self.command("pg_isready");
            if asked
                .args(["-q", "-d", &url])
                .status()
                .is_ok_and(|status| status.success())
            {
                return;
            }
            let ended = self.server.as_mut().and_then(|it| it.try_wait().unwrap());
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "PostgreSQL does not start:\n{}",
                fs::read_to_string(self.log()).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("postgres.log")
    }

    /// One of its programs. The server refuses to run as root.
    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command.current_dir(self.folder.path());
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}

/// SIGQUIT ends it and all that it forked, without a checkpoint that nobody will read.
fn end(server: &mut Child) {
    let _ = Command::new("kill")
        .args(["-s", "QUIT", &server.id().to_string()])
        .status();
    let deadline = Instant::now() + ENDING;
    while Instant::now() < deadline {
        if !server.try_wait().is_ok_and(|status| status.is_none()) {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = server.kill();
    let _ = server.wait();
}

/// A new database of that name on the server of another.
pub(crate) fn make_database(server: &str, name: &str) -> String {
    let done = Command::new(
        programs()
            .expect("the programs were there")
            .join("createdb"),
    )
    .arg(format!("--maintenance-db={server}"))
    .arg(name)
    .output()
    .unwrap();
    assert!(
        done.status.success(),
        "createdb: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    server.replace("/postgres?", &format!("/{name}?"))
}

/// The folder of the newest PostgreSQL's programs; Debian keeps them out of everybody's path.
fn programs() -> Option<PathBuf> {
    let mut folders: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version = path.file_name()?.to_str()?.parse().ok()?;
            Some((version, path.join("bin")))
        })
        .collect();
    folders.sort();
    let newest = folders.pop().map(|(_, folder)| folder);
    let in_path = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect::<Vec<_>>();
    newest
        .into_iter()
        .chain(in_path)
        .find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
}

/// Who runs the server where we are root: the package's own user.
fn other_user() -> Option<(u32, u32)> {
    let ours = fs::metadata("/proc/self").ok()?;
    if std::os::unix::fs::MetadataExt::uid(&ours) != 0 {
        return None;
    }
    let accounts = fs::read_to_string("/etc/passwd").unwrap();
    let line = accounts.lines().find(|line| line.starts_with("postgres:"));
    let mut fields = line.expect("a user postgres").split(':').skip(2);
    let mut number = || fields.next().unwrap().parse().unwrap();
    Some((number(), number()))
}

/// Runs the tests of this program that match one of `filters` on a PostgreSQL server, and returns what it said.
///
/// In one process, many times faster than a process for each. `without` names tests that are not to run.
pub(crate) fn run_again(server: &str, filters: &[&str], without: &[&str]) -> String {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(filters).arg("--color=never");
    for name in without {
        command.args(["--skip", name]);
    }
    // What the runner says of the test that runs them is not theirs.
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("NEXTEST") {
            command.env_remove(name);
        }
    }
    let done = command.env(DATABASE, server).output().unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
    assert!(done.status.success(), "{said}");
    said
}

/// How many tests ran well, by the last line of the program.
pub(crate) fn passed(said: &str) -> usize {
    let line = said
        .lines()
        .find_map(|line| line.strip_prefix("test result: ok. "));
    let count = line.and_then(|rest| rest.split(' ').next());
    count.and_then(|count| count.parse().ok()).unwrap_or(0)
}

const USER: &str = "campanile";
/// Found nowhere but where the tests put it.
pub(crate) const PASSWORD: &str = "planted-pass.word~7";
const STARTING: Duration = Duration::from_secs(60);
const ENDING: Duration = Duration::from_secs(10);
