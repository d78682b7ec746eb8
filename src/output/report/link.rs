//! The link from the report to the discrepancy file.

use std::path::{Component, Path, absolute};

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;

use crate::shown::shown;

/// Characters that a path in a link does not have as they are.
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b':')
    .add(b'\\');

/// A file that the report names.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Link {
    /// Relative to the report. `None` if it would show a phone number, or on another drive.
    pub(crate) href: Option<String>,
    /// The file's name, phone numbers masked.
    pub(crate) name: String,
}

/// A link from the file `from` to the file `to`.
pub(crate) fn link(from: &Path, to: &Path) -> Link {
    let name = shown(&to.file_name().unwrap_or_default().to_string_lossy());
    let href = relative(from, to).filter(|path| shown(path) == *path);
    Link { href: href.map(|path| utf8_percent_encode(&path, ENCODED).to_string()), name }
}

/// The path of `to` from the folder of `from`, with `/` between its parts.
fn relative(from: &Path, to: &Path) -> Option<String> {
    let (from, to) = (absolute(from).ok()?, absolute(to).ok()?);
    let from: Vec<Component<'_>> = from.parent()?.components().collect();
    let to: Vec<Component<'_>> = to.components().collect();
    let common = from.iter().zip(&to).take_while(|(from, to)| from == to).count();
    if common == 0 {
        return None;
    }
    let up = from[common..].iter().map(|_| Some(".."));
    let down = to[common..].iter().map(|part| part.as_os_str().to_str());
    Some(up.chain(down).collect::<Option<Vec<_>>>()?.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_from_the_report_s_folder_to_the_file() {
        let href = |from: &str, to: &str| link(Path::new(from), Path::new(to)).href;
        assert_eq!(href("/out/a.html", "/out/对账 1%.csv").as_deref(), Some("%E5%AF%B9%E8%B4%A6%201%25.csv"));
        assert_eq!(href("/out/a.html", "/data/d.csv").as_deref(), Some("../data/d.csv"));
        assert_eq!(href("reports/a.html", "d.csv").as_deref(), Some("../d.csv"));
        assert_eq!(href("a.html", "d/13812345678.csv"), None);
        assert_eq!(link(Path::new("a.html"), Path::new("13812345678.csv")).name, "138****5678.csv");
    }
}
