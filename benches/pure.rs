//! The pure parts that every call passes: how long each takes by itself.
#![allow(missing_docs, clippy::unwrap_used)]

fn main() {
    divan::main();
}
