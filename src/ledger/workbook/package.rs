//! The package that a workbook is: where its parts are, its sheets and its date system.

use quick_xml::events::Event;

use super::archive::Archive;
use super::refused::{Refused, Result};
use super::xml::{Xml, for_each_attribute, is_yes};
use crate::ledger::file_kind::FileKind;

/// Most sheets, and most relations of a part.
const MAX_LISTED: usize = 10_000;

/// What a workbook says about itself.
#[derive(Debug, Default)]
pub(super) struct Package {
    /// The sheets with rows and columns, in the order of their tabs.
    pub(super) sheets: Vec<Sheet>,
    /// Part with the shared texts.
    pub(super) strings: Option<String>,
    /// Part with the number formats.
    pub(super) styles: Option<String>,
    /// True if its dates count from 1904.
    pub(super) is_1904: bool,
    /// True if its formulas are to be calculated when it is opened: stored zeros mean nothing.
    pub(super) is_uncalculated: bool,
}

/// A sheet.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) name: String,
    pub(super) is_hidden: bool,
    /// Its part.
    pub(super) part: String,
}

/// A reference from one part to another.
struct Relation {
    id: String,
    /// The last word of its type, such as `worksheet`.
    kind: String,
    /// Name of the other part.
    part: String,
}

impl Package {
    /// Reads the package's own parts.
    ///
    /// # Errors
    /// The archive is no workbook, or one of another kind, or it is damaged.
    pub(super) fn read(archive: &Archive) -> Result<Self> {
        let root = relations(archive, "", "_rels/.rels")?;
        let workbook = root.into_iter().find(|relation| relation.kind == "officeDocument");
        let Some(workbook) = workbook.map(|relation| relation.part) else {
            let is_document = archive.has("mimetype") && archive.has("content.xml");
            return Err(other_kind(if is_document { FileKind::OpenDocument } else { FileKind::Zip }));
        };
        if workbook.to_lowercase().ends_with(".bin") {
            return Err(other_kind(FileKind::BinaryWorkbook));
        }
        let (folder, name) = workbook.rsplit_once('/').unwrap_or(("", &workbook));
        let of_folder = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let relations = relations(archive, folder, &format!("{of_folder}_rels/{name}.rels"))?;
        let part = archive.listed_part(&workbook)?;
        let find = |kind: &str| relations.iter().find(|relation| relation.kind == kind);
        let mut package = Self {
            strings: find("sharedStrings").map(|relation| relation.part.clone()),
            styles: find("styles").map(|relation| relation.part.clone()),
            ..Self::default()
        };
        package.read_workbook(&mut Xml::new(part), &relations)?;
        Ok(package)
    }

    fn read_workbook(&mut self, xml: &mut Xml, relations: &[Relation]) -> Result<()> {
        let mut is_workbook = false;
        loop {
            let tag = match xml.next()? {
                Event::Start(tag) => tag,
                Event::Eof if is_workbook => return Ok(()),
                Event::Eof => return Err(other_kind(FileKind::Zip)),
                _ => continue,
            };
            match tag.local_name().into_inner() {
                "workbook" => is_workbook = true,
                _ if !is_workbook => return Err(other_kind(FileKind::Zip)),
                "workbookPr" => for_each_attribute(&tag, |name, value| {
                    self.is_1904 |= name == "date1904" && is_yes(&value);
                    Ok(())
                })?,
                "calcPr" => for_each_attribute(&tag, |name, value| {
                    self.is_uncalculated |= name == "fullCalcOnLoad" && is_yes(&value);
                    Ok(())
                })?,
                "sheet" => {
                    let mut id = String::new();
                    let mut sheet = Sheet { name: String::new(), is_hidden: false, part: String::new() };
                    for_each_attribute(&tag, |name, value| {
                        match name {
                            "name" => sheet.name = value.into_owned(),
                            "id" => id = value.into_owned(),
                            "state" => sheet.is_hidden = value != "visible",
                            _ => {}
                        }
                        Ok(())
                    })?;
                    let target = relations.iter().find(|relation| relation.id == id);
                    if let Some(target) = target.filter(|target| target.kind == "worksheet") {
                        sheet.part.clone_from(&target.part);
                        push(&mut self.sheets, sheet)?;
                    }
                }
                _ => {}
            }
        }
    }
}

fn other_kind(kind: FileKind) -> Refused {
    Refused::OtherKind(kind)
}

/// The relations that a part lists. Its targets are relative to `folder`.
fn relations(archive: &Archive, folder: &str, part: &str) -> Result<Vec<Relation>> {
    let mut relations = Vec::new();
    let Some(part) = archive.part(part)? else { return Ok(relations) };
    let mut xml = Xml::new(part);
    loop {
        match xml.next()? {
            Event::Start(tag) if tag.local_name().into_inner() == "Relationship" => {
                let (mut id, mut kind, mut target) = (String::new(), String::new(), String::new());
                for_each_attribute(&tag, |name, value| {
                    match name {
                        "Id" => id = value.into_owned(),
                        "Type" => value.rsplit('/').next().unwrap_or_default().clone_into(&mut kind),
                        "Target" => target = value.into_owned(),
                        _ => {}
                    }
                    Ok(())
                })?;
                push(&mut relations, Relation { id, kind, part: resolved(folder, &target) })?;
            }
            Event::Eof => return Ok(relations),
            _ => {}
        }
    }
}

fn push<T>(list: &mut Vec<T>, item: T) -> Result<()> {
    if list.len() == MAX_LISTED {
        return Err(Refused::Damaged("it lists more than 10,000 sheets or parts"));
    }
    list.push(item);
    Ok(())
}

/// The name of a part from a target that is relative to a folder, or absolute.
fn resolved(folder: &str, target: &str) -> String {
    if let Some(absolute) = target.strip_prefix('/') {
        return absolute.to_owned();
    }
    let mut path: Vec<&str> = folder.split('/').filter(|step| !step.is_empty()).collect();
    for step in target.split('/') {
        match step {
            ".." => drop(path.pop()),
            "." | "" => {}
            step => path.push(step),
        }
    }
    path.join("/")
}

#[cfg(test)]
mod tests {
    use super::resolved;

    #[test]
    fn targets_are_relative_to_their_folder() {
        for (folder, target, wanted) in [
            ("xl", "worksheets/sheet1.xml", "xl/worksheets/sheet1.xml"),
            ("xl", "/xl/worksheets/sheet1.xml", "xl/worksheets/sheet1.xml"),
            ("xl/a", "../b/./c.xml", "xl/b/c.xml"),
            ("", "../../workbook.xml", "workbook.xml"),
        ] {
            assert_eq!(resolved(folder, target), wanted);
        }
    }
}
