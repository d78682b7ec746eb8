//! The number formats of a workbook's cells.

use std::collections::HashMap;

use quick_xml::events::Event;

use super::archive::Archive;
use super::number_format::NumberFormat;
use super::refused::{Refused, Result};
use super::xml::{Xml, for_each_attribute};

/// Most formats. Excel allows 65,490 styles.
const MAX_FORMATS: usize = 1 << 20;

/// The number format of each style of a cell.
#[derive(Debug, Default)]
pub(super) struct Styles {
    formats: Vec<NumberFormat>,
}

impl Styles {
    /// Reads the part with the styles, if there is one.
    ///
    /// # Errors
    /// The part is damaged.
    pub(super) fn read(archive: &Archive, part: Option<&str>) -> Result<Self> {
        let Some(name) = part else { return Ok(Self::default()) };
        let mut xml = Xml::new(archive.listed_part(name)?);
        let (mut own, mut formats) = (HashMap::new(), Vec::new());
        let mut is_cell_style = false;
        loop {
            match xml.next()? {
                Event::Start(tag) => match tag.local_name().into_inner() {
                    "numFmt" => {
                        let (mut id, mut format) = (None, NumberFormat::Number);
                        for_each_attribute(&tag, |name, value| {
                            match name {
                                "numFmtId" => id = value.parse::<u32>().ok(),
                                "formatCode" => format = NumberFormat::of_code(&value),
                                _ => {}
                            }
                            Ok(())
                        })?;
                        if let Some(id) = id {
                            own.insert(id, format);
                        }
                    }
                    "cellXfs" => is_cell_style = true,
                    "xf" if is_cell_style => {
                        let mut id = 0;
                        for_each_attribute(&tag, |name, value| {
                            if name == "numFmtId" {
                                id = value.parse().unwrap_or(0);
                            }
                            Ok(())
                        })?;
                        let format = own.get(&id).copied();
                        formats.push(format.unwrap_or_else(|| NumberFormat::built_in(id)));
                    }
                    _ => {}
                },
                Event::End(tag) if tag.local_name().into_inner() == "cellXfs" => is_cell_style = false,
                Event::Eof => return Ok(Self { formats }),
                _ => {}
            }
            if own.len().max(formats.len()) > MAX_FORMATS {
                return Err(Refused::Damaged("it has more than a million formats"));
            }
        }
    }

    /// The number format of a style.
    pub(super) fn format(&self, style: usize) -> NumberFormat {
        self.formats.get(style).copied().unwrap_or(NumberFormat::Number)
    }
}
