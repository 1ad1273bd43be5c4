//! A simulated cluster and the real binary's one-shot commands against it, over real sockets.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use jiff::{SignedDuration, Timestamp};
use simulator::{Ids, Player, Scenario, Simulator, SimulatorOptions};
use tokio::process::Command;

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_kube-job-collector");

/// A cluster with a folder for its kubeconfig and a test's files.
pub(crate) struct Cluster {
    /// The cluster.
    pub simulator: Simulator,
    /// A folder of this test alone.
    pub folder: PathBuf,
}

impl Cluster {
    /// Starts an empty cluster. `name` is unique to the test.
    pub(crate) async fn start(name: &str) -> Cluster {
        Cluster::start_with(name, SimulatorOptions::default()).await
    }

    /// The same with other options.
    pub(crate) async fn start_with(name: &str, options: SimulatorOptions) -> Cluster {
        let simulator = Simulator::start(options).await.expect("the simulator starts");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let cluster = Cluster { simulator, folder };
        cluster
            .simulator
            .write_kubeconfig(&cluster.kubeconfig())
            .expect("a kubeconfig");
        cluster
    }

    /// Where the kubeconfig is.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// A player of a shipped scenario that begins `ago` before now.
    pub(crate) fn scenario(&self, name: &str, ago: SignedDuration) -> Player {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("simulator/scenarios/{name}.yaml"));
        let scenario = Scenario::parse(&std::fs::read_to_string(path).expect("a scenario")).expect("a scenario");
        // Every scenario gets UIDs of its own.
        let seed = name
            .bytes()
            .fold(1, |seed, byte| seed * 31 % 1_000_003 + u64::from(byte));
        let start = Timestamp::now().checked_sub(ago).expect("a time");
        Player::new(
            self.simulator.store().clone(),
            scenario.timeline(start, &mut Ids::new(seed)),
        )
    }

    /// The binary with these arguments (split at spaces) and this cluster's kubeconfig in its environment.
    pub(crate) fn command(&self, program: impl AsRef<Path>, args: &str) -> Command {
        let mut command = Command::new(program.as_ref());
        command
            .args(args.split_whitespace())
            .env_clear()
            .env("KUBECONFIG", self.kubeconfig())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs the binary to its end.
    pub(crate) async fn run(&self, args: &str) -> Ran {
        let output = self.command(BINARY, args).output().await.expect("the binary runs");
        Ran::from(output)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The result of a run of the binary.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit code.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        Ran {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }
}
