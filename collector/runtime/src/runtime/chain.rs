//! The task of a pipeline's processors.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::error::panic_text;
use crate::component::ComponentError;
use crate::graph::Chain;

/// Takes batch after batch through all processors, until the input is closed and empty.
///
/// A panic in a processor is an error that names it; the batch it held is lost and acknowledged as such.
pub(super) async fn run(mut chain: Chain) -> Result<(), ComponentError> {
    while let Some(batch) = chain.input.recv().await {
        let mut left = Some(batch);
        for node in &mut chain.processors {
            let Some(batch) = left else { break };
            left = catch_unwind(AssertUnwindSafe(|| node.component.process(batch)))
                .map_err(|panic| format!("{} panicked: {}", node.path, panic_text(&*panic)))?;
        }
        if let Some(batch) = left {
            chain.output.send(batch).await;
        }
    }
    Ok(())
}
