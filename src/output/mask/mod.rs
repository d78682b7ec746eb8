//! Phone numbers in the data files of a masked run.

mod mask_phones;
mod token_key;

pub use mask_phones::{MaskPhones, own_numbers};
pub use token_key::TokenKey;
