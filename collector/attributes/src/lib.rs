//! Changes of attribute lists, shared by the processors `attributes` and `resource`.
