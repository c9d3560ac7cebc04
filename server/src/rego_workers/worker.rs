//! What a worker does: evaluate what it is asked, until nobody asks any more.

use super::protocol::Request;
use review::{Interpreter, Rego, RegoError, RegoSession};
use rustix::process::{Resource, Rlimit, setrlimit};
use serde::Serialize;
use std::io::{BufRead, Write};
use std::time::Duration;

/// Memory that the whole process may have, in bytes. The largest policies of the public library take a tenth of it.
const MEMORY: u64 = 512 * 1024 * 1024;

/// Evaluates until standard input ends.
///
/// # Errors
/// When the limits cannot be set, or nobody reads the answers.
pub fn run() -> anyhow::Result<()> {
    limit()?;
    end_with_parent();
    let mut session = Interpreter.session();
    let mut answers = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let answer = answer(&mut *session, &line?)?;
        writeln!(answers, "{answer}")?;
        answers.flush()?;
    }
    Ok(())
}

/// From here on the kernel refuses more memory, and what breaks leaves no core dump.
fn limit() -> rustix::io::Result<()> {
    let to = |most| Rlimit { current: Some(most), maximum: Some(most) };
    setrlimit(Resource::As, to(MEMORY))?;
    setrlimit(Resource::Core, to(0))
}

/// A policy that goes on for ever must not outlive whoever would have killed it.
fn end_with_parent() {
    let parent = std::os::unix::process::parent_id();
    std::thread::spawn(move || {
        while std::os::unix::process::parent_id() == parent {
            std::thread::sleep(Duration::from_secs(1));
        }
        std::process::exit(1);
    });
}

fn answer(session: &mut dyn RegoSession, line: &str) -> serde_json::Result<String> {
    match serde_json::from_str(line)? {
        Request::Load { policy, inventory, within } => {
            text(&session.load(&policy, inventory.map(|json| json.get()), within))
        }
        Request::Judge { input, within } => text(&session.violations(&input, within)),
    }
}

fn text<T: Serialize>(answer: &Result<T, RegoError>) -> serde_json::Result<String> {
    serde_json::to_string(answer)
}
