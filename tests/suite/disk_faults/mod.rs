//! Failed writes, syncs and renames of store and outputs, kills, and stalls of the receiver. The
//! faults come from outside the program.

mod erasing;
mod every_write;
mod mixed;
mod night;
mod upgrading;
