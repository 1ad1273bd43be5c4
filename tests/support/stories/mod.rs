//! Stories: what no recording of a cluster holds, in the form of one. The objects, reasons and messages are those of
//! Kubernetes, containerd and CRI-O; what happens to them is made up.

mod exits;
mod nodes;
mod pending;
pub mod story;
mod verdicts;

pub use story::Story;

/// All of them.
pub fn all() -> Vec<Story> {
    let mut stories = pending::stories();
    stories.extend(nodes::stories());
    stories.extend(exits::stories());
    stories.extend(verdicts::stories());
    stories
}

/// The story of that name.
pub fn named(name: &str) -> Story {
    let mut all = all();
    let at = all.iter().position(|story| story.name == name).expect("a story");
    all.swap_remove(at)
}
