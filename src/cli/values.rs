//! What the values of options may be; what is wrong with one, in a word.

use std::num::NonZeroUsize;
use std::time::Duration;

use chrono::{NaiveDate, NaiveTime};

use crate::output::Lang;
use crate::provider::WireFormat;
use reconcile_core::product::ProductId;

pub(super) fn product(text: &str) -> Result<ProductId, String> {
    ProductId::parse(text).ok_or_else(|| {
        let names: Vec<&str> = reconcile_core::product::PRODUCTS.iter().map(|(_, name)| *name).collect();
        format!("not a product; give its number or one of {}", names.join(", "))
    })
}

pub(super) fn language(text: &str) -> Result<Lang, String> {
    Lang::parse(text).ok_or_else(|| "the report is in en or zh".into())
}

pub(super) fn day(text: &str) -> Result<NaiveDate, String> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| "not a day like 2026-11-16".into())
}

pub(super) fn mapping(text: &str) -> Result<(String, String), String> {
    let (field, header) = text.split_once('=').ok_or("there is no `=`; write FIELD=HEADER")?;
    Ok((field.trim().to_owned(), header.to_owned()))
}

pub(super) fn delimiter(text: &str) -> Result<u8, String> {
    match text {
        "," | ";" | "|" | "\t" => Ok(text.as_bytes()[0]),
        "tab" | "\\t" => Ok(b'\t'),
        _ => Err("not one of , ; | tab".into()),
    }
}

/// More than this many requests in flight would only fill the provider's queue.
const CONCURRENCY_AT_MOST: usize = 1_024;

pub(super) fn concurrency(text: &str) -> Result<NonZeroUsize, String> {
    let wrong = || format!("not a whole number from 1 to {CONCURRENCY_AT_MOST}");
    text.parse().ok().filter(|n: &NonZeroUsize| n.get() <= CONCURRENCY_AT_MOST).ok_or_else(wrong)
}

pub(super) fn wire_format(text: &str) -> Result<WireFormat, String> {
    let known = [WireFormat::Json, WireFormat::Xml].into_iter();
    let mut named = known.filter(|format| format.parameter().eq_ignore_ascii_case(text));
    named.next().ok_or_else(|| "not json and not xml".into())
}

pub(super) fn length_of_time(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|e| format!("{e}; write 10s, 500ms, 6h30m"))?;
    if duration.is_zero() { Err("must be longer than nothing".into()) } else { Ok(duration) }
}

pub(super) fn latency(text: &str) -> Result<(Duration, Duration), String> {
    let read = || {
        let (least, most) = text.split_once("..")?;
        let length = |text: &str| humantime::parse_duration(text.trim()).ok();
        Some((length(least)?, length(most)?)).filter(|(least, most)| least <= most)
    };
    read().ok_or_else(|| "write the least and the most, such as 20ms..400ms".into())
}

pub(super) fn time_of_day(text: &str) -> Result<NaiveTime, String> {
    NaiveTime::parse_from_str(text, "%H:%M").map_err(|_| "not a time of day like 06:30".into())
}
