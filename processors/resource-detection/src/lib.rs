//! Processor `resourcedetection`: adds attributes from the environment to resources.
