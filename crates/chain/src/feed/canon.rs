//! The canonical chain as a pure state machine.
