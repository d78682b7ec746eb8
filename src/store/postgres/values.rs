//! Values as the tables keep them: days, and texts without a NUL character.

use std::borrow::Cow;
use std::error::Error;

use bytes::BytesMut;
use chrono::{Datelike as _, NaiveDate};
use postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

/// Begins an escape sequence. No text of a provider has it.
const ESCAPE: char = '\u{10FFFF}';
/// Days from 0001-01-01 to 2000-01-01, where PostgreSQL's days begin.
const EPOCH_FROM_CE: i32 = 730_120;

/// A day, as a `DATE`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Day(pub(super) NaiveDate);

impl ToSql for Day {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let day: i32 = self.0.num_days_from_ce() - EPOCH_FROM_CE;
        out.extend_from_slice(&day.to_be_bytes());
        Ok(IsNull::No)
    }

    accepts!(DATE);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Day {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let days = i32::from_be_bytes(raw.try_into()?).saturating_add(EPOCH_FROM_CE);
        // Another program may have stored `infinity`.
        NaiveDate::from_num_days_from_ce_opt(days).map(Self).ok_or_else(|| "the day is out of range".into())
    }

    accepts!(DATE);
}

/// A text as stored.
pub(super) fn stored(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', ESCAPE]) {
        return Cow::Borrowed(text);
    }
    let mut stored = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\0' => stored.extend([ESCAPE, '0']),
            ESCAPE => stored.extend([ESCAPE, '1']),
            other => stored.push(other),
        }
    }
    Cow::Owned(stored)
}

/// The text that was stored.
pub(super) fn read(stored: &str) -> Cow<'_, str> {
    if !stored.contains(ESCAPE) {
        return Cow::Borrowed(stored);
    }
    let mut text = String::with_capacity(stored.len());
    let mut characters = stored.chars();
    while let Some(character) = characters.next() {
        match character {
            ESCAPE => match characters.next() {
                Some('0') => text.push('\0'),
                Some('1') => text.push(ESCAPE),
                // Another program wrote it.
                other => text.extend(std::iter::once(ESCAPE).chain(other)),
            },
            other => text.push(other),
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_read_as_it_was_stored() {
        for text in ["", "用户接听", "a\0b\0", "\u{10FFFF}", "\u{10FFFF}0\0\u{10FFFF}1", "\0\u{10FFFF}"] {
            assert!(!stored(text).contains('\0'));
            assert_eq!(read(&stored(text)), text);
        }
        assert_eq!(read("\u{10FFFF}x\u{10FFFF}"), "\u{10FFFF}x\u{10FFFF}");
    }

    #[test]
    fn days_are_those_of_the_database() {
        for (days, day) in [(0_i32, "2000-01-01"), (9_816, "2026-11-16"), (-1, "1999-12-31")] {
            let read = Day::from_sql(&Type::DATE, &days.to_be_bytes()).map(|day| day.0.to_string());
            assert_eq!(read.ok().as_deref(), Some(day));
        }
    }
}
