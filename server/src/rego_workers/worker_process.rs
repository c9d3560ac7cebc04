//! One worker, as the process that started it sees it.

use review::{LONGEST_ANSWER, RegoError};
use serde::de::DeserializeOwned;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// Longest answer that is read, in bytes; workers themselves keep to a quarter of it.
const LONGEST_LINE: usize = 4 * LONGEST_ANSWER;

/// Why a worker gave no answer.
pub(super) enum AskError {
    /// It was gone already, whatever it was to be asked.
    NotSent,
    /// What it was asked took too long, or broke it.
    Stopped(RegoError),
}

/// Killed when it is dropped.
#[derive(Debug)]
pub(super) struct WorkerProcess {
    child: Child,
    requests: ChildStdin,
    answers: Receiver<String>,
}

impl WorkerProcess {
    pub(super) fn start(program: &Path) -> std::io::Result<Self> {
        let mut child = Command::new(program)
            .arg("rego-worker")
            // Nothing that the portal knows is for a policy to read.
            .env_clear()
            // The allocator reserves a gigabyte ahead, and all of it counts as memory that the process has.
            .env("MIMALLOC_ARENA_RESERVE", "0")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (requests, output) = child.stdin.take().zip(child.stdout.take()).ok_or(std::io::ErrorKind::BrokenPipe)?;
        let (sender, answers) = sync_channel(1);
        std::thread::spawn(move || pass_on(output, &sender));
        Ok(Self { child, requests, answers })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a line and reads the answer. After an error it must not be asked again.
    pub(super) fn ask<T: DeserializeOwned>(&mut self, line: &str, within: Duration) -> Result<T, AskError> {
        // It waits for a request, so it reads all of it.
        self.requests
            .write_all(line.as_bytes())
            .and_then(|()| self.requests.write_all(b"\n"))
            .map_err(|_| AskError::NotSent)?;
        let answer = self.answers.recv_timeout(within).map_err(|error| match error {
            RecvTimeoutError::Timeout => AskError::Stopped(RegoError::Time),
            RecvTimeoutError::Disconnected => AskError::Stopped(RegoError::Stopped),
        })?;
        serde_json::from_str(&answer).map_err(|_| AskError::Stopped(RegoError::Stopped))
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Passes on lines until the worker is gone, or one of them is too long.
fn pass_on(output: ChildStdout, answers: &SyncSender<String>) {
    let mut output = BufReader::new(output);
    loop {
        let mut line = String::new();
        match output.by_ref().take(LONGEST_LINE as u64).read_line(&mut line) {
            Ok(_) if line.ends_with('\n') => {}
            _ => return,
        }
        if answers.send(line).is_err() {
            return;
        }
    }
}
