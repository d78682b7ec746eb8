//! The report: one self-contained HTML page. It has no script, loads nothing from the network, and
//! masks every phone number.

mod charts;
mod largest;
mod numbers;
mod page;
mod svg;
mod texts;

pub(crate) use largest::Largest;
pub(crate) use page::render;
