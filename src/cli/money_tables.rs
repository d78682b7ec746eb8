//! The tables of the configuration file about money: `[tariff."product"]` and `[bill]`.
//!
//! ```toml
//! [tariff."voice-notification"]
//! first = 60
//! next = 60
//! price = "0.055"
//! currency = "CNY"
//!
//! [[tariff."click-to-dial"]]
//! …
//!
//! [bill]
//! "ITEM CODE" = "voice-notification"
//! ```

use std::fmt::Write as _;

use chrono::NaiveDate;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::shown::{escape, shown};
use reconcile_core::bill::ItemProducts;
use reconcile_core::decimal::Decimal;
use reconcile_core::product::{PRODUCTS, ProductId};
use reconcile_core::quick_parse;
use reconcile_core::tariff::{Increments, Legs, Tariff, Tariffs};

/// The keys of a tariff.
/// The highest price. Any sum of a night then fits into its column.
const MOST: Decimal = Decimal::whole(1_000);
const KEYS: [&str; 7] = ["first", "next", "price", "currency", "legs", "from", "to"];
const CURRENCY: &str = "CNY";
const FORM: &str = "write [tariff.\"voice-notification\"] with first = 60, next = 60 (seconds) and \
                    price = \"0.055\" (for `next` seconds)";

/// The tables about money.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MoneyTables {
    /// The tariffs.
    pub tariffs: Tariffs,
    /// The product of each billing item.
    pub items: ItemProducts,
}

/// A mistake in a table, and where it is.
pub(super) struct TableMistake {
    /// Byte offset in the file.
    pub(super) at: usize,
    pub(super) what: String,
    pub(super) hint: String,
}

type Result<T> = std::result::Result<T, TableMistake>;

impl MoneyTables {
    /// Reads a table of the file. False if the key and its value are no such table.
    ///
    /// # Errors
    ///
    /// A key or a value of the table cannot be used.
    pub(super) fn read(
        &mut self,
        key: &Spanned<impl AsRef<str>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<bool> {
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("tariff", DeValue::Table(products)) => self.read_tariffs(products).map(|()| true),
            ("tariff", _) => Err(mistake(key.span().start, "`tariff` is no table", FORM)),
            ("bill", DeValue::Table(items)) => self.read_items(items).map(|()| true),
            _ => Ok(false),
        }
    }

    fn read_tariffs(&mut self, products: &DeTable<'_>) -> Result<()> {
        for (key, value) in products {
            let at = key.span().start;
            let name = format!("tariff.\"{}\"", shown(key.get_ref()));
            let product = product(key.get_ref(), at)?;
            if self.tariffs.iter().any(|(known, _)| known == product) {
                return Err(mistake(at, &format!("{name}: the product has another table of tariffs"), FORM));
            }
            let tariffs = match value.get_ref() {
                DeValue::Table(table) => vec![tariff(&name, at, table)?],
                DeValue::Array(tables) => {
                    tables.iter().map(|table| tariff_of(&name, table)).collect::<Result<_>>()?
                }
                _ => return Err(mistake(at, &format!("{name} is no table"), FORM)),
            };
            self.tariffs.add(product, tariffs).map_err(|problem| {
                mistake(
                    at,
                    &format!("{name}: {problem}"),
                    "give each its own `from`, and no `to` after the next `from`",
                )
            })?;
        }
        Ok(())
    }

    fn read_items(&mut self, items: &DeTable<'_>) -> Result<()> {
        const HINT: &str =
            "write \"ITEM CODE\" = \"voice-notification\"; the bill has the code as BillingItemCode";
        for (key, value) in items {
            let (at, item) = (key.span().start, key.get_ref().trim());
            let DeValue::String(name) = value.get_ref() else {
                let what = format!("bill.\"{}\" needs the name of a product, in quotes", shown(item));
                return Err(mistake(at, &what, HINT));
            };
            self.items.insert(item.into(), product(name, at)?);
        }
        Ok(())
    }

    /// Whether [`Self::as_toml`] has a table of this name.
    pub(super) fn has_table(&self, name: &str) -> bool {
        name == "bill" && !self.items.is_empty()
    }

    /// The tables as TOML; empty without any.
    pub(super) fn as_toml(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        for (product, tariffs) in self.tariffs.iter() {
            for tariff in tariffs {
                let _ =
                    writeln!(text, "\n[[tariff.{}]]\n{}", quoted(&name_of(product)), tariff_lines(tariff));
            }
        }
        if !self.items.is_empty() {
            let _ = writeln!(text, "\n[bill]");
        }
        for (item, product) in &self.items {
            let _ = writeln!(text, "{} = {}", quoted(item), quoted(&name_of(*product)));
        }
        text
    }
}

fn tariff_lines(tariff: &Tariff) -> String {
    let Tariff { increments, price, currency, legs, from, to } = tariff;
    let legs = if *legs == Legs::Two { 2 } else { 1 };
    let day =
        |name: &str, day: &Option<NaiveDate>| day.map(|day| format!("\n{name} = {day}")).unwrap_or_default();
    format!(
        "first = {}\nnext = {}\nprice = \"{}\"\ncurrency = \"{currency}\"\nlegs = {legs}{}{}",
        increments.first(),
        increments.next(),
        price.short(),
        day("from", from),
        day("to", to)
    )
}

fn name_of(product: ProductId) -> String {
    product.name().map_or_else(|| product.0.to_string(), str::to_owned)
}

/// A JSON string is also a TOML string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn mistake(at: usize, what: &str, hint: &str) -> TableMistake {
    TableMistake { at, what: what.to_owned(), hint: hint.to_owned() }
}

fn product(text: &str, at: usize) -> Result<ProductId> {
    ProductId::parse(text).ok_or_else(|| {
        let names = PRODUCTS.map(|(_, name)| name).join(", ");
        mistake(
            at,
            &format!("there is no product `{}`", shown(text)),
            &format!("write a product id or one of {names}"),
        )
    })
}

fn tariff_of(name: &str, table: &Spanned<DeValue<'_>>) -> Result<Tariff> {
    match table.get_ref() {
        DeValue::Table(own) => tariff(name, table.span().start, own),
        _ => Err(mistake(table.span().start, &format!("{name} is no table"), FORM)),
    }
}

/// The values of a tariff so far.
#[derive(Default)]
struct Given {
    first: Option<u32>,
    next: Option<u32>,
    price: Option<Decimal>,
    currency: Option<String>,
    legs: Legs,
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
}

fn tariff(name: &str, at: usize, table: &DeTable<'_>) -> Result<Tariff> {
    let mut given = Given::default();
    for (key, value) in table {
        given
            .set(name, key.get_ref(), value.get_ref())
            .map_err(|(what, hint)| mistake(key.span().start, &what, &hint))?;
    }
    let missing = |key| mistake(at, &format!("{name} lacks `{key}`"), FORM);
    let (first, next) =
        (given.first.ok_or_else(|| missing("first"))?, given.next.ok_or_else(|| missing("next"))?);
    let price = given.price.ok_or_else(|| missing("price"))?;
    let checked = Increments::new(first, next).and_then(|increments| {
        let currency = given.currency.unwrap_or_else(|| CURRENCY.to_owned()).into();
        Tariff { increments, price, currency, legs: given.legs, from: given.from, to: given.to }.checked()
    });
    let hint = "`price` is for `next` seconds: a call of up to `first` seconds has first / next units";
    checked.map_err(|problem| mistake(at, &format!("{name}: {problem}"), hint))
}

impl Given {
    /// Sets a value. The error is a message and a hint.
    fn set(
        &mut self,
        table: &str,
        key: &str,
        value: &DeValue<'_>,
    ) -> std::result::Result<(), (String, String)> {
        let wrong = |needs: &str, example: &str| {
            Err((format!("{table}.{} needs {needs}", escape(key)), format!("write {key} = {example}")))
        };
        let text = match value {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Datetime(day) => day.to_string(),
            _ => String::new(),
        };
        let is_text = matches!(value, DeValue::String(_));
        let seconds = text.parse().ok().filter(|_| !is_text);
        match key {
            "first" | "next" if seconds.is_none() => return wrong("a whole number of seconds", "60"),
            "first" => self.first = seconds,
            "next" => self.next = seconds,
            "price" if !is_text => {
                return wrong("a decimal number in quotes, since it is exact", "\"0.055\"");
            }
            "price" => match Decimal::parse(&text) {
                Ok(price) if price > MOST => {
                    let what = format!("{table}.price is over {}", MOST.short());
                    return Err((what, "write the price of `next` seconds".to_owned()));
                }
                Ok(price) => self.price = Some(price),
                Err(problem) => {
                    let what = format!("{table}.price cannot be \"{}\": {problem}", shown(&text));
                    return Err((what, "write price = \"0.055\"".to_owned()));
                }
            },
            "currency" if !is_text => return wrong("a code in quotes", "\"CNY\""),
            "currency" => self.currency = Some(text),
            "legs" => match (is_text, text.as_str()) {
                (false, "1") => self.legs = Legs::One,
                (false, "2") => self.legs = Legs::Two,
                _ => return wrong("1 or 2", "1"),
            },
            "from" | "to" => match quick_parse::day(&text) {
                None => return wrong("a day", "2026-01-01"),
                day if key == "from" => self.from = day,
                day => self.to = day,
            },
            _ => {
                let what = format!("{table} has an unknown key `{}`", escape(key));
                return Err((what, format!("it may have {}", KEYS.join(", "))));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str) -> Result<MoneyTables> {
        let table = DeTable::parse(text).unwrap();
        let mut tables = MoneyTables::default();
        for (key, value) in table.get_ref() {
            assert!(tables.read(key, value)?, "{}", key.get_ref());
        }
        Ok(tables)
    }

    #[test]
    fn tariffs_and_items_are_read_and_written_back() {
        let text = "[tariff.\"voice-notification\"]\nfirst = 60\nnext = 60\nprice = \"0.055\"\n\
                    [[tariff.11000000300004]]\nfirst = 30\nnext = 6\nprice = \"0.0055\"\nlegs = 2\nto = 2026-06-30\n\
                    [[tariff.11000000300004]]\nfirst = 1\nnext = 1\nprice = \"1\"\ncurrency = \"USD\"\n\
                    from = \"2026-07-01\"\n[bill]\n\"语音通知\" = \"voice-notification\"\nsip_min = \"SIP\"\n";
        let tables = read(text).ok().unwrap();
        let products: Vec<usize> = tables.tariffs.iter().map(|(_, tariffs)| tariffs.len()).collect();
        assert_eq!(products, [2, 1]);
        assert_eq!(tables.items["sip_min"], ProductId(11_000_000_300_009));
        let again = read(&tables.as_toml()).ok().unwrap();
        assert_eq!(again, tables, "{}", tables.as_toml());
        assert_eq!(MoneyTables::default().as_toml(), "");
    }

    #[test]
    fn a_mistake_names_the_key_and_the_way_out() {
        let tariff = |lines: &str| format!("[tariff.sip]\nfirst = 60\nnext = 60\n{lines}\n");
        for (text, what, hint) in [
            (tariff("price = 0.055"), "tariff.\"sip\".price needs a decimal number in quotes", "price = \"0.055\""),
            (tariff("price = \"0.0000055\""), "more than 6 places", "write price"),
            (tariff("price = \"cheap\""), "it is not a decimal number", "write price"),
            (tariff(""), "tariff.\"sip\" lacks `price`", "write [tariff"),
            (tariff("price = \"1\"\nlegs = 3"), "tariff.\"sip\".legs needs 1 or 2", "legs = 1"),
            (tariff("price = \"1\"\nfrom = 2026"), "tariff.\"sip\".from needs a day", "from = 2026-01-01"),
            (tariff("price = \"1\"\nunit = 1"), "unknown key `unit`", "first, next, price"),
            (tariff("price = \"1\"\ncurrency = \"rmb\""), "three capital letters", "price"),
            (tariff("price = \"-1\""), "`price` is negative", "price"),
            ("[tariff.sip]\nfirst = 30\nnext = 60\nprice = \"1\"".into(), "no multiple of `next` = 60", "`price` is for"),
            ("[tariff.fax]\nfirst = 60".into(), "there is no product `fax`", "voice-notification"),
            ("[tariff]\nsip = 5".into(), "tariff.\"sip\" is no table", "write [tariff"),
            ("tariff = 5".into(), "`tariff` is no table", "write [tariff"),
            ("[bill]\ncode = 5".into(), "bill.\"code\" needs the name of a product", "\"ITEM CODE\""),
            ("[bill]\ncode = \"fax\"".into(), "there is no product `fax`", "product id"),
            (
                tariff("price = \"1\"") + "[tariff.11000000300009]\nfirst = 1\nnext = 1\nprice = \"1\"",
                "the product has another table of tariffs",
                "write [tariff",
            ),
            (
                "[[tariff.sip]]\nfirst = 1\nnext = 1\nprice = \"1\"\n[[tariff.sip]]\nfirst = 1\nnext = 1\nprice = \"2\"".into(),
                "two of its tariffs have no `from`",
                "own `from`",
            ),
        ] {
            let mistake = read(&text).err().unwrap();
            assert!(mistake.what.contains(what), "{text:?}: {}", mistake.what);
            assert!(mistake.hint.contains(hint), "{text:?}: {}", mistake.hint);
        }
    }
}
