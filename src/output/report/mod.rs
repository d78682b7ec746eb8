//! The report: one self-contained HTML page. It loads nothing from the network, is whole without
//! JavaScript, and masks every phone number.

mod bars;
mod charts;
mod known_call;
mod labels;
mod largest;
mod link;
mod money_texts;
mod numbers;
mod page;
mod receipt_texts;
mod strips;
mod svg;
mod texts;

pub(crate) use known_call::KnownCall;
pub(crate) use largest::{AMENDED_ROWS, Largest, LargestForm, OPEN_ROWS, SETTLED_ROWS, masked};
pub(crate) use link::link;
pub(crate) use page::{Content, Listed, render};
