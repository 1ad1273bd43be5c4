//! Processor `resource`: changes the attributes of resources.
