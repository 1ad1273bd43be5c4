//! Messages of the container runtime on creating or starting a container.
//!
//! The runtimes wrap errors outermost first (`failed to create containerd task: ... OCI runtime create failed: ...`), so a text
//! counts anywhere in the message. Only a message of the runtime or the kubelet is searched, never one that the program
//! wrote itself.

mod command;
mod config;
mod devices;
mod kubelet;
mod memory;
mod runtime;

pub(crate) use command::COMMAND;
pub(crate) use command::{NEXT_STEP as COMMAND_NEXT_STEP, PLATFORM as PLATFORM_NEXT_STEP};
pub(crate) use config::CONFIG;
pub(crate) use devices::DEVICES;
pub(crate) use kubelet::KUBELET;
pub(crate) use memory::MEMORY;
pub(crate) use runtime::{RUNTIME, RUNTIME_OWN};

use super::{Family, KnownText, find_in};
use crate::cause::Cause;

/// The messages in which all but [`KUBELET`] are searched.
const SEARCHED_IN: &str = "The runtime's message on a container that could not be created or started.";

/// The order of the search. Hooks and shims wrap errors of programs that are not the container's command; an error that
/// names the command quotes it, with any words in it. A mount error quotes paths of the runtime's store.
const ORDER: [&Family; 6] = [&DEVICES, &RUNTIME_OWN, &COMMAND, &MEMORY, &CONFIG, &RUNTIME];

/// The known text in a message of the container runtime.
pub(crate) fn runtime_text(message: &str) -> Option<&'static KnownText> {
    find_in(&ORDER, message)
}

/// The known text about memory in a message of the container runtime on creating a Pod's sandbox.
pub(crate) fn memory_text(message: &str) -> Option<&'static KnownText> {
    find_in(&[&RUNTIME_OWN, &MEMORY], message).filter(|text| text.cause == Cause::OutOfMemory)
}

/// The known text in a message of the kubelet about the configuration of a container (`CreateContainerConfigError`).
pub(crate) fn config_text(message: &str) -> Option<&'static KnownText> {
    KUBELET.find(message)
}
