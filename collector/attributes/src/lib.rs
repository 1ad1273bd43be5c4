//! Changes of attribute lists, shared by the processors `attributes` and `resource`: the actions of the Collector's
//! `attributesprocessor` and `resourceprocessor` (`internal/coreinternal/attraction`).

mod actions;
mod list;
mod settings;
#[cfg(test)]
mod tests;
mod text;
mod value;

pub use actions::Actions;
pub use settings::ActionSettings;
