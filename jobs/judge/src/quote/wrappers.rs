//! The words that the control plane, the kubelet, runtimes and registries put around a reason. Errors in Go are wrapped
//! from the outside: `pulling x: rpc error: code = Unknown desc = resolving x: REASON`.

use std::borrow::Cow;

use job_event::secrets::end_of_quote;

/// Texts that add nothing to the sentence around the quote. They are dropped at the beginning and after each `: `.
///
/// Sources: `pkg/controller/controller_utils.go`, `pkg/kubelet/kuberuntime`, `pkg/kubelet/images` of Kubernetes; `client`
/// and `core/remotes/docker` of containerd; `libcontainer` of runc; `server/container_create.go` of CRI-O.
const WRAPPERS: [&str; 35] = [
    "(combined from similar events): ",
    "Error creating: ",
    "Error: ",
    "Error response from daemon: ",
    "error response from daemon: ",
    "Internal error occurred: ",
    "Pod was rejected: ",
    "ErrImagePull: ",
    "Failed to create pod sandbox: ",
    "failed to create pod sandbox: ",
    "failed to create containerd task: ",
    "failed to create containerd container: ",
    "failed to create shim task: ",
    "failed to create shim: ",
    "failed to create task for container: ",
    "container create failed: ",
    "CreateContainer failed: ",
    "OCI runtime create failed: ",
    "OCI runtime start failed: ",
    "OCI runtime error: ",
    "runc create failed: ",
    "runc run failed: ",
    "crun create failed: ",
    "unable to start container process: ",
    "starting container process caused: ",
    "starting container process caused ",
    "error during container init: ",
    "container init caused: ",
    "error running hook: ",
    "failed to call webhook: ",
    "failed to resolve image: ",
    "failed to do request: ",
    "failed to copy: ",
    "httpReadSeeker: failed open: ",
    "MountVolume.SetUp failed for ",
];
/// Wrappers that name a thing. They are dropped where the name appears earlier.
const NAMING: [&str; 8] = [
    "Failed to pull image ",
    "failed to pull image ",
    "failed to pull and unpack image ",
    "failed to resolve reference ",
    "Back-off pulling image ",
    "failed to start container ",
    "failed to start containerd task ",
    "failed to create containerd task ",
];

/// The most layers of a message that are read; real ones have about ten.
const MAX_LAYERS: usize = 64;
/// The least characters of a name that is searched in the message: shorter ones are part of other words.
const MIN_NAME: usize = 4;

/// The message without its wrappers. Names that neither the sentence nor the rest of the message contains stay.
pub(super) fn core<'a>(message: &'a str, sentence: &str) -> Cow<'a, str> {
    let message = without_log_header(without_preemption(message));
    let mut kept = String::with_capacity(message.len());
    let mut rest = &*message;
    let mut dropped = false;
    for _ in 0..MAX_LAYERS {
        if let Some(inner) = unwrapped(rest, &kept, sentence) {
            (rest, dropped) = (inner, true);
        } else if let Some((layer, inner)) = split_layer(rest) {
            kept.push_str(layer);
            rest = inner;
        } else {
            break;
        }
    }
    kept.push_str(rest);
    if !dropped {
        return message;
    }
    // The code of an error that has none, at the end of the messages of containerd.
    let end = kept.trim_end();
    match end.strip_suffix(": unknown").filter(|rest| !rest.trim().is_empty()) {
        Some(rest) => Cow::Owned(rest.to_owned()),
        None => Cow::Owned(kept),
    }
}

/// Lines of a long message that do not say why: commands and hints of mount helpers (`k8s.io/mount-utils`, `mount.cifs`,
/// `amazon-efs-utils`).
const ASIDES: [&str; 7] = [
    "Mounting command: ",
    "Mounting arguments: ",
    "Output: Running scope as unit",
    "Refer to the mount.",
    "Please refer to http",
    "Warning: ",
    "WARNING: ",
];

/// A message that is too long, without lines that do not say why. The first line stays.
pub(super) fn without_asides(message: &str) -> String {
    let mut lines = message.lines();
    let mut kept = lines.next().unwrap_or_default().to_owned();
    for line in lines.filter(|line| !ASIDES.iter().any(|start| line.starts_with(start))) {
        kept.push('\n');
        kept.push_str(line);
    }
    kept
}

/// A line that is too long, without a few more parts that explain little.
pub(super) fn brief(line: String) -> String {
    // `pods "x-" is forbidden: WHY`
    let line = match line
        .strip_prefix("pods \"")
        .and_then(|rest| rest.split_once("\" is forbidden: "))
    {
        Some((name, why)) if !name.contains('"') && !why.is_empty() => why.to_owned(),
        _ => line,
    };
    // The kubelet adds errors of the cleanup after the reason.
    let line = match line.split_once(", failed to clean up sandbox container ") {
        Some((why, _)) => why.trim_start_matches('[').to_owned(),
        None => line,
    };
    // Hints of Azure.
    let line = without(line, " For help resolving this issue, please see ", "\"");
    let line = without(line, ", unattached volumes=[", "]");
    let line = without(line, ", failed to process volumes=[", "]");
    without(line, " resource ", " was blocked due to the following policies")
}

/// The line without the text from `start` to `end`.
fn without(mut line: String, start: &str, end: &str) -> String {
    if let Some(from) = line.find(start)
        && let Some(length) = line[from + start.len()..].find(end)
    {
        line.replace_range(from..from + start.len() + length + end.len(), "");
    }
    line
}

/// The first layer of the message with its `: `, and the rest.
fn split_layer(message: &str) -> Option<(&str, &str)> {
    let at = message.find(": ")? + 2;
    Some(message.split_at(at))
}

/// The text inside one wrapper, if the message begins with one and something remains.
fn unwrapped<'a>(message: &'a str, kept: &str, sentence: &str) -> Option<&'a str> {
    let message = message.trim_start();
    let fixed = WRAPPERS.iter().find_map(|wrapper| message.strip_prefix(wrapper));
    let inner = fixed
        .or_else(|| without_rpc(message))
        .or_else(|| without_position(message))
        .or_else(|| without_name(message, kept, sentence))?;
    (!inner.trim_matches([' ', '\n', ':', '.']).is_empty()).then_some(inner)
}

/// `rpc error: code = Unknown desc = INNER`
fn without_rpc(message: &str) -> Option<&str> {
    let (code, inner) = message.strip_prefix("rpc error: code = ")?.split_once(" desc = ")?;
    code.chars().all(char::is_alphanumeric).then_some(inner)
}

/// `container_linux.go:380: INNER`
fn without_position(message: &str) -> Option<&str> {
    let (position, inner) = split_layer(message)?;
    let (file, line) = position.split_once(".go:")?;
    let is_file = file.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let is_line = line.trim_end_matches(": ").bytes().all(|byte| byte.is_ascii_digit());
    (is_file && is_line).then_some(inner)
}

/// `failed to resolve reference "NAME": INNER`
fn without_name<'a>(message: &'a str, kept: &str, sentence: &str) -> Option<&'a str> {
    let rest = NAMING.iter().find_map(|wrapper| message.strip_prefix(wrapper))?;
    let (name, inner) = rest.strip_prefix('"')?.split_once("\": ")?;
    let short = name.strip_prefix("docker.io/").unwrap_or(name);
    let short = short.strip_prefix("library/").unwrap_or(short);
    let is_id = name.len() >= 12 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_repeated = short.len() >= MIN_NAME && [kept, inner].iter().any(|text| text.contains(short));
    (is_id || is_repeated || sentence.contains(short)).then_some(inner)
}

/// `0/3 nodes are available: WHY. preemption: ...`: the part on preemption explains nothing.
fn without_preemption(message: &str) -> &str {
    match message.split_once(" preemption: ") {
        Some((why, _)) if why.contains(" nodes are available: ") => why
            .trim_end_matches(" still not schedulable,")
            .trim_end_matches(" no new claims to deallocate,"),
        _ => message,
    }
}

/// The message with the text of a log line in it instead of the line: `failed: time="..." level=error msg="WHY"`, as CRI-O
/// and CSI drivers quote other programs (`logrus`).
fn without_log_header(message: &str) -> Cow<'_, str> {
    let Some(parts) = log_line(message) else {
        return Cow::Borrowed(message);
    };
    let (before, text, after) = parts;
    let mut plain = String::with_capacity(message.len());
    plain.push_str(before);
    plain.push_str(&text.replace("\\\"", "\"").replace("\\n", "\n"));
    plain.push_str(after);
    Cow::Owned(plain)
}

/// The message before the lines of `logrus`, the text of the last line, and the message after it.
fn log_line(message: &str) -> Option<(&str, &str, &str)> {
    let (before, _) = message.split_once("time=\"")?;
    let (_, line) = message.rsplit_once("time=\"")?;
    let (_, line) = line.split_once("\" level=")?;
    let (level, line) = line.split_once(" msg=\"")?;
    let end = end_of_quote(line)?;
    let is_level = level.bytes().all(|byte| byte.is_ascii_alphabetic());
    is_level.then(|| (before, &line[..end], &line[end + 1..]))
}
