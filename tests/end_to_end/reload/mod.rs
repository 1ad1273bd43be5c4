//! The real binary applies a changed configuration without a restart.

mod files;
mod invalid;
mod replaced;
mod scene;
mod signals;
