//! Parsers of the options' values. An error is "needs …", which follows the option's name, or says
//! what is wrong.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use chrono::{NaiveDate, NaiveTime};

use crate::fetch::Concurrency;
use crate::output::Lang;
use crate::provider::WireFormat;
use crate::store::StoreLocation;
use reconcile_core::arrival::LONGEST_TIMEOUT;
use reconcile_core::materiality::Limit;
use reconcile_core::product::{PRODUCTS, ProductId};
use reconcile_core::rate::Rate;
use reconcile_core::receipt::ReceiptsTrust;

/// What is wrong with an option's value; the value is left out if it may be secret.
pub(super) fn complaint(option: &str, value: Option<&str>, why: &str) -> String {
    match (why.starts_with("needs "), value) {
        (true, Some(value)) => format!("{option} {why}, not {value:?}"),
        (true, None) => format!("{option} {why}"),
        (false, Some(value)) => format!("{option} = {value:?}: {why}"),
        (false, None) => format!("{option}: {why}"),
    }
}

/// The error of an option that takes one of these words.
pub(super) fn needs_one_of(names: &[impl AsRef<str>]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    format!("needs one of {}", names.join(", "))
}

/// The value of `--sql`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SqlFile {
    /// Beside the details.
    Beside,
    /// None is written.
    None,
    At(PathBuf),
}

impl SqlFile {
    /// The file's path; `None` if none is written.
    pub(super) fn path(self, details: &Path) -> Option<PathBuf> {
        match self {
            Self::Beside => Some(details.with_extension("sql")),
            Self::None => None,
            Self::At(path) => Some(path),
        }
    }
}

/// A path. The words that could mean yes or no are no paths; `./yes` is one.
pub(super) fn sql_file(text: &str) -> Result<SqlFile, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(SqlFile::Beside),
        "false" => Ok(SqlFile::None),
        "" | "yes" | "no" | "on" | "off" | "y" | "n" | "t" | "f" | "0" | "1" => {
            Err("needs a path, true or false".into())
        }
        _ => Ok(SqlFile::At(text.into())),
    }
}

pub(super) fn product(text: &str) -> Result<ProductId, String> {
    ProductId::parse(text).ok_or_else(|| {
        let names: Vec<&str> = PRODUCTS.iter().map(|(_, name)| *name).collect();
        format!("needs a product number or one of {}", names.join(", "))
    })
}

pub(super) fn language(text: &str) -> Result<Lang, String> {
    Lang::parse(text).ok_or_else(|| "needs en or zh".into())
}

pub(super) fn day(text: &str) -> Result<NaiveDate, String> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| "needs a day, for example 2026-11-16".into())
}

pub(super) fn mapping(text: &str) -> Result<(String, String), String> {
    let (field, header) = text.split_once('=').ok_or("needs FIELD=HEADER, for example caller=From")?;
    Ok((field.trim().to_owned(), header.to_owned()))
}

pub(super) fn delimiter(text: &str) -> Result<u8, String> {
    match text {
        "," | ";" | "|" | "\t" => Ok(text.as_bytes()[0]),
        "tab" | "\\t" => Ok(b'\t'),
        _ => Err("needs one of , ; | tab".into()),
    }
}

pub(super) fn rate(text: &str) -> Result<Rate, String> {
    if !text.contains('/') {
        return Err("needs a unit, for example 100/min".into());
    }
    text.parse()
}

pub(super) fn whole_number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| too_large(text).unwrap_or_else(|| "needs a whole number from 0 up".into()))
}

/// The error for a number that no option can hold, if the text is one.
fn too_large(text: &str) -> Option<String> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (is_number && text.bytes().any(|b| b != b'0')).then(|| "needs a smaller number".to_owned())
}

pub(super) fn burst(text: &str) -> Result<NonZeroU32, String> {
    text.parse().map_err(|_| too_large(text).unwrap_or_else(|| "needs a whole number from 1 up".into()))
}

pub(super) fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "needs a port number from 0 to 65535".into())
}

/// More requests in flight would only wait in the provider's queue.
const CONCURRENCY_AT_MOST: usize = 1_024;

pub(super) fn concurrency(text: &str) -> Result<Concurrency, String> {
    if text == "auto" {
        return Ok(Concurrency::Auto);
    }
    let number = text.parse().ok().filter(|n: &NonZeroUsize| n.get() <= CONCURRENCY_AT_MOST);
    let number = number.map(Concurrency::Fixed);
    number.ok_or_else(|| format!("needs auto or a whole number from 1 to {CONCURRENCY_AT_MOST}"))
}

pub(super) fn attempts(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|n| (1..=100).contains(n));
    number.ok_or_else(|| "needs a whole number from 1 to 100".into())
}

pub(super) fn wire_format(text: &str) -> Result<WireFormat, String> {
    let known = [WireFormat::Json, WireFormat::Xml].into_iter();
    let mut named = known.filter(|format| format.parameter().eq_ignore_ascii_case(text));
    named.next().ok_or_else(|| "needs json or xml".into())
}

/// A limit of `--fail-above`.
pub(super) fn limit(text: &str) -> Result<Limit, String> {
    let needs = "needs a time at stake, a share of the calls or a number of rows: 30min, 0.5% or 10";
    Limit::parse(text).ok_or_else(|| needs.into())
}

/// How far receipts are trusted.
pub(super) fn receipts_trust(text: &str) -> Result<ReceiptsTrust, String> {
    ReceiptsTrust::parse(text).ok_or_else(|| "needs full, none, or a sample such as sample=2%".into())
}

/// A share, such as `1%`.
pub(super) fn percent(text: &str) -> Result<f64, String> {
    let digits = text.strip_suffix('%').filter(|text| text.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
    let percent: Option<f64> = digits.and_then(|digits| digits.parse().ok());
    percent
        .filter(|percent| *percent > 0.0 && *percent <= 100.0)
        .ok_or_else(|| "needs a percentage above 0, for example 1% or 0.5%".into())
}

/// A duration that may be zero.
pub(super) fn age(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| "needs a number and a unit, for example 10s, 500ms or 6h30m".into())
}

/// A duration longer than zero.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let duration = age(text)?;
    if duration.is_zero() { Err("needs a duration longer than zero".into()) } else { Ok(duration) }
}

/// The time limit of a request.
pub(super) fn timeout(text: &str) -> Result<Duration, String> {
    let limit = duration(text)?;
    if limit > LONGEST_TIMEOUT { Err("needs at most 1h".into()) } else { Ok(limit) }
}

/// A file, or the URL of a database.
pub(super) fn store(text: &str) -> Result<StoreLocation, String> {
    if text.trim().is_empty() {
        Err("needs a file, or the URL of a database".into())
    } else {
        Ok(StoreLocation::parse(Path::new(text)))
    }
}

pub(super) fn latency(text: &str) -> Result<(Duration, Duration), String> {
    let read = || {
        let (least, most) = text.split_once("..")?;
        let length = |text: &str| humantime::parse_duration(text.trim()).ok();
        Some((length(least)?, length(most)?))
    };
    let (least, most) = read().ok_or("needs the least and the most, for example 20ms..400ms")?;
    if least > most { Err("needs the smaller value first".into()) } else { Ok((least, most)) }
}

pub(super) fn time_of_day(text: &str) -> Result<NaiveTime, String> {
    NaiveTime::parse_from_str(text, "%H:%M").map_err(|_| "needs a time of day, for example 06:30".into())
}
