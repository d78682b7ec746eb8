//! The accounts of a job, each with its own cap and key: `--account`, and the file of `--accounts`.
//!
//! The file is TOML, one table an account: `[name]` with `profile` and `rate`.

use std::fs::File;
use std::io::{self, Read as _};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use clap::Args;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::values;
use crate::error::{Error, Result};
use crate::shown::{escape, shown};
use reconcile_core::ledger_values::is_null;
use reconcile_core::rate::Rate;

/// Longest name of an account, in bytes.
const LONGEST_NAME: usize = 64;

/// The keys of an account.
const KEYS: [&str; 2] = ["profile", "rate"];

const FORM: &str = "write a table for each account: [name], with profile = \"…\" and, if it has its own cap, \
                    rate = \"100/min\"";

/// The longest file: room for tens of thousands of accounts.
const LONGEST: u64 = 4 << 20;

/// The options about accounts.
#[derive(Debug, Clone, Args)]
pub(super) struct AccountArgs {
    /// Name of the account that is asked; its cap counts only its own requests [default: a
    /// file has one account; in a database it is named after its key]
    #[arg(long, env = "RECONCILE_ACCOUNT", value_name = "NAME", value_parser = name, help_heading = "Provider and cap", hide_short_help = true)]
    account: Option<String>,
    /// TOML file of several accounts, each `[name]` with `profile` and `rate`; the ledger's column
    /// `account` names one of them
    ///
    /// Each account has its own cap and key. --rate is the cap of accounts without `rate`; --burst
    /// and --concurrency hold for each account.
    #[arg(
        long,
        env = "RECONCILE_ACCOUNTS",
        value_name = "FILE",
        conflicts_with_all = ["account", "profile"],
        help_heading = "Provider and cap",
        hide_short_help = true
    )]
    accounts: Option<PathBuf>,
}

/// An account with its cap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name; `None` if there is only one account.
    pub name: Option<String>,
    /// The credentials profile of its key; `None` takes that of the options.
    pub profile: Option<String>,
    /// Its cap.
    pub rate: Rate,
    /// Requests that may go back to back.
    pub burst: NonZeroU32,
}

/// The accounts of a job: at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accounts {
    /// The file that lists them; `None` for one account.
    pub file: Option<PathBuf>,
    /// The accounts, in the order of their names.
    pub list: Vec<Account>,
}

impl Accounts {
    /// The names that rows of the ledger may have, sorted; none without a file.
    #[must_use]
    pub fn names_in_ledger(&self) -> Vec<compact_str::CompactString> {
        let names = self.list.iter().filter(|_| self.file.is_some());
        names.filter_map(|account| account.name.as_deref().map(Into::into)).collect()
    }
}

impl AccountArgs {
    /// The accounts. `rate` and `burst` hold for those without their own. With `needs_profiles`,
    /// every account of the file must name its profile.
    ///
    /// # Errors
    ///
    /// Exit 2 when the file cannot be used, or `burst` is larger than a cap.
    pub(super) fn accounts(
        self,
        rate: Rate,
        burst: Option<NonZeroU32>,
        needs_profiles: bool,
    ) -> Result<Accounts> {
        let mut given = match &self.accounts {
            None => vec![FileAccount { name: self.account, ..FileAccount::default() }],
            Some(path) => read(path, needs_profiles)?,
        };
        given.sort_by(|one, other| one.name.cmp(&other.name));
        let account = |given: FileAccount| {
            let rate = given.rate.unwrap_or(rate);
            let burst = checked_burst(burst, rate, given.name.as_deref())?;
            Ok(Account { name: given.name, profile: given.profile, rate, burst })
        };
        let list = given.into_iter().map(account).collect::<Result<_>>()?;
        Ok(Accounts { file: self.accounts, list })
    }
}

fn checked_burst(burst: Option<NonZeroU32>, rate: Rate, account: Option<&str>) -> Result<NonZeroU32> {
    let burst = burst.unwrap_or(rate.requests);
    if burst <= rate.requests {
        return Ok(burst);
    }
    let of = account.map(|name| format!(" of the account `{}`", shown(name))).unwrap_or_default();
    Err(Error::usage(format!("--burst {burst} is larger than the cap{of} ({rate})"))
        .hint(format!("leave --burst out, or give at most {}", rate.requests)))
}

/// An account as the file has it.
#[derive(Debug, Default)]
struct FileAccount {
    name: Option<String>,
    profile: Option<String>,
    rate: Option<Rate>,
}

/// The text of a file, up to [`LONGEST`].
fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(LONGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LONGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is longer than 4 MiB"));
    }
    Ok(text)
}

fn read(path: &Path, needs_profiles: bool) -> Result<Vec<FileAccount>> {
    let file = path.display();
    let text = read_text(path).map_err(|e| {
        Error::usage(format!("the accounts file {file} cannot be read")).hint(FORM).because(e)
    })?;
    parse(text.strip_prefix('\u{feff}').unwrap_or(&text), needs_profiles).map_err(|Mistake { line, what }| {
        let line = line.map(|line| format!(":{line}")).unwrap_or_default();
        Error::usage(format!("the accounts file {file}{line}: {what}")).hint(FORM)
    })
}

/// What is wrong with the file, and where.
struct Mistake {
    /// Counted from 1; `None` for the whole file.
    line: Option<usize>,
    what: String,
}

fn parse(text: &str, needs_profiles: bool) -> Result<Vec<FileAccount>, Mistake> {
    let at = |offset: usize, what: String| {
        let line_ends = text.as_bytes().iter().take(offset).filter(|b| **b == b'\n');
        Mistake { line: Some(line_ends.count() + 1), what }
    };
    let table = DeTable::parse(text)
        .map_err(|e| at(e.span().map_or(0, |span| span.start), escape(e.message()).into_owned()))?;
    let mut accounts = Vec::new();
    for (key, value) in table.get_ref() {
        let account = account(key.get_ref(), value, needs_profiles);
        accounts.push(account.map_err(|what| at(key.span().start, what))?);
    }
    if accounts.is_empty() {
        return Err(Mistake { line: None, what: "it has no account".to_owned() });
    }
    Ok(accounts)
}

fn account(key: &str, value: &Spanned<DeValue<'_>>, needs_profiles: bool) -> Result<FileAccount, String> {
    let (shown, DeValue::Table(table)) = (shown(key), value.get_ref()) else {
        return Err(format!("`{}` is not a table", shown(key)));
    };
    let mut account = FileAccount {
        name: Some(name(key).map_err(|why| format!("`{shown}` {why}"))?),
        ..FileAccount::default()
    };
    for (key, value) in table {
        let key = key.get_ref().as_ref();
        if !KEYS.contains(&key) {
            let (key, [one, other]) = (escape(key), KEYS);
            return Err(format!(
                "the account `{shown}` has an unknown key `{key}`; it may have {one} and {other}"
            ));
        }
        let DeValue::String(text) = value.get_ref() else {
            return Err(format!("`{key}` of the account `{shown}` needs a text"));
        };
        if key == "rate" {
            let rate =
                values::rate(text).map_err(|why| format!("the rate of the account `{shown}` {why}"))?;
            account.rate = Some(rate);
        } else if text.trim().is_empty() {
            return Err(format!("the profile of the account `{shown}` is empty"));
        } else {
            account.profile = Some(text.to_string());
        }
    }
    match account.profile {
        None if needs_profiles => Err(format!("the account `{shown}` has no profile")),
        _ => Ok(account),
    }
}

/// A usable name of an account.
///
/// # Errors
///
/// What it needs.
fn name(text: &str) -> Result<String, String> {
    let is_plain = !text.is_empty() && text.len() <= LONGEST_NAME && text.trim() == text && !is_null(text);
    if !is_plain || shown(text) != text {
        return Err(format!(
            "needs 1 to {LONGEST_NAME} bytes without seven or more digits, which may be a phone number, control \
             characters, white space at an end, or a word such as NULL"
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn mistake(text: &str) -> (Option<usize>, String) {
        let Mistake { line, what } = parse(text, true).err().unwrap();
        (line, what)
    }

    #[test]
    fn a_file_names_accounts_with_profiles_and_caps() {
        let text = "[north]\nprofile = \"n\"\n[\"华南 1\"]\nprofile = \"s\"\nrate = \"25/15s\"\n";
        let accounts = parse(text, true).ok().unwrap();
        let of =
            |at: usize| (accounts[at].name.as_deref(), accounts[at].profile.as_deref(), accounts[at].rate);
        assert_eq!(of(0), (Some("north"), Some("n"), None));
        assert_eq!(of(1), (Some("华南 1"), Some("s"), Some("25/15s".parse().unwrap())));
        assert_eq!(parse("[north]\n", false).ok().unwrap().len(), 1);
    }

    #[test]
    fn a_mistake_is_reported_with_its_line() {
        for (text, line, words) in [
            ("", None, "it has no account"),
            ("[a]\nprofile = \"x\"\n[b]\n", Some(3), "the account `b` has no profile"),
            ("[a]\nprofile = \"x\"\n[a]\n", Some(3), "duplicate key"),
            ("[a]\nprofil = \"x\"\n", Some(1), "an unknown key `profil`"),
            ("\n[a]\nprofile = 7\n", Some(2), "`profile` of the account `a` needs a text"),
            ("[a]\nprofile = \" \"\n", Some(1), "the profile of the account `a` is empty"),
            ("[a]\nprofile = \"x\"\nrate = \"fast\"\n", Some(1), "the rate of the account `a` needs a unit"),
            ("a = \"x\"\n", Some(1), "`a` is not a table"),
            ("[\" a\"]\n", Some(1), "which may be a phone number"),
            ("[NULL]\n", Some(1), "a word such as NULL"),
            ("[\"13812345678\"]\n", Some(1), "`138****5678` needs"),
            ("[a\n", Some(1), ""),
        ] {
            let (at, what) = mistake(text);
            assert_eq!(at, line, "{text:?}: {what}");
            assert!(what.contains(words), "{text:?}: {what}");
        }
    }

    #[test]
    fn a_burst_must_fit_every_cap() {
        let args = AccountArgs { account: Some("north".into()), accounts: None };
        let burst = NonZeroU32::new(7);
        let accounts = args.clone().accounts("10/min".parse().unwrap(), burst, true).unwrap();
        assert_eq!((accounts.list[0].burst.get(), accounts.names_in_ledger().len()), (7, 0));
        let error = args.accounts("5/min".parse().unwrap(), burst, true).unwrap_err();
        assert!(error.what.contains("of the account `north` (5 per minute)"), "{}", error.what);
    }
}
