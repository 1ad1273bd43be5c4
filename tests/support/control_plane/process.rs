//! A server as a child process that never outlives this one.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Starts the program, prints its process id, and kills it once standard input ends: when it is dropped here, and when
/// this process ends, however that happens.
const SUPERVISOR: &str =
    r#"log=$1; shift; "$@" >"$log" 2>&1 </dev/null & echo $!; read -r _; kill -9 $! 2>/dev/null; wait"#;
/// How many lines of a log are shown.
const TAIL: usize = 15;

/// A running program.
#[derive(Debug)]
pub(crate) struct Process {
    supervisor: Child,
    pid: u32,
}

impl Process {
    /// Starts a program; its output goes to `log`.
    pub(crate) fn start(program: &Path, arguments: &[String], log: &Path) -> Process {
        let mut supervisor = Command::new("/bin/sh")
            .args(["-c", SUPERVISOR, "supervisor"])
            .arg(log)
            .arg(program)
            .args(arguments)
            .current_dir(log.parent().unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let output = supervisor.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        Process {
            supervisor,
            pid: line.trim().parse().unwrap(),
        }
    }

    /// The process id of the program.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// False once the program has ended.
    pub(crate) fn is_running(&mut self) -> bool {
        // A program that has ended is a zombie until its supervisor ends.
        let status = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        let state = status.rsplit(')').next().unwrap_or_default().trim_start();
        !state.is_empty() && !state.starts_with('Z')
    }

    /// Kills the program and waits until it has ended.
    pub(crate) fn end(&mut self) {
        drop(self.supervisor.stdin.take());
        let _ = self.supervisor.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// Ports that were free a moment ago.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let listeners: [TcpListener; N] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// The last lines of a log.
pub(crate) fn tail(log: &Path) -> String {
    let Ok(file) = File::open(log) else {
        return String::new();
    };
    let lines: Vec<String> = BufReader::new(file).lines().map_while(Result::ok).collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}
