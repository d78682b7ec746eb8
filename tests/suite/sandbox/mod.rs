//! The simulated provider itself: the provider's own clients, wrong signatures, nights with every fault.

mod rehearsal;
mod sdks;
mod tampering;
