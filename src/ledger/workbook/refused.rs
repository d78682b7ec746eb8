//! Why a workbook cannot be read.

use std::io;
use std::sync::Arc;

use zip::result::ZipError;

use crate::ledger::file_kind::FileKind;

/// Why a workbook is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// What is wrong with the file.
    #[error("{0}")]
    Damaged(&'static str),
    /// A part of the file is, or claims to be, far larger than the file is worth.
    #[error(
        "`{part}` unpacks to more than {allowed_mib} MiB, the most that is allowed for a file of this size"
    )]
    TooLarge {
        /// The part's name.
        part: String,
        /// The most that is allowed.
        allowed_mib: u64,
    },
    /// The file is of another kind.
    #[error("{0}")]
    OtherKind(FileKind),
    /// The file cannot be read.
    #[error(transparent)]
    Unreadable(io::Error),
}

pub(super) type Result<T, E = Refused> = std::result::Result<T, E>;

/// Damage that a stage which reads bytes notices. It is returned inside an [`io::Error`].
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("{0}")]
pub(super) struct Damage(pub(super) &'static str);

impl From<Damage> for io::Error {
    fn from(damage: Damage) -> Self {
        Self::new(io::ErrorKind::InvalidData, damage)
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        match error.downcast::<Damage>() {
            Ok(Damage(what)) => Self::Damaged(what),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Self::Damaged("it is cut off"),
            Err(error) => Self::Unreadable(error),
        }
    }
}

impl From<ZipError> for Refused {
    fn from(error: ZipError) -> Self {
        match error {
            ZipError::Io(error) => error.into(),
            _ => Self::Damaged("the directory at its end is missing or damaged; it may be cut off"),
        }
    }
}

impl From<quick_xml::Error> for Refused {
    fn from(error: quick_xml::Error) -> Self {
        match error {
            quick_xml::Error::Io(error) => match Arc::try_unwrap(error) {
                Ok(error) => error.into(),
                Err(error) => Self::Unreadable(io::Error::new(error.kind(), error.to_string())),
            },
            _ => Self::Damaged(NOT_XML),
        }
    }
}

impl From<quick_xml::events::attributes::AttrError> for Refused {
    fn from(_: quick_xml::events::attributes::AttrError) -> Self {
        Self::Damaged(NOT_XML)
    }
}

const NOT_XML: &str = "a part of it is not valid XML in UTF-8";
