//! The accounts of the simulated provider, and the TOML file that lists them.
//!
//! Each line is `access-key-id = "secret"`, or a table for a temporary or refused key. An error
//! names the line but never quotes it, because the wrong part may be the secret.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use reconcile_core::rate::Rate;

/// The default account: id and secret.
pub const TEST_ACCOUNT: (&str, &str) = ("testid", "testsecret");

/// An access key. It has no `Debug`, because it holds secrets.
pub struct Account {
    /// `AccessKeyId`.
    pub(super) id: String,
    /// The key whose cap its requests use: for a temporary key the key that requested it, else the
    /// key itself.
    pub(super) owner: String,
    /// The secret that signs requests.
    pub(super) secret: SecretString,
    /// The security token of a temporary key; its requests must carry it.
    pub(super) token: Option<SecretString>,
    /// When the token expires.
    pub(super) expires: Option<DateTime<Utc>>,
    /// The cap of its requests; `None` for that of the sandbox.
    pub(super) cap: Option<Rate>,
    /// Whether the key is disabled.
    pub(super) inactive: bool,
    /// Whether its user has no permission.
    pub(crate) denied: bool,
}

impl Account {
    /// A permanent key whose user has the permission.
    #[must_use]
    pub fn new(id: &str, secret: &str) -> Self {
        let (id, owner, secret) = (id.to_owned(), id.to_owned(), secret.to_owned().into());
        Self { id, owner, secret, token: None, expires: None, cap: None, inactive: false, denied: false }
    }

    /// The same key with a cap of its own.
    #[must_use]
    pub fn with_cap(self, cap: Rate) -> Self {
        Self { cap: Some(cap), ..self }
    }

    /// Whether this is the key's security token.
    pub(super) fn has_token(&self, token: &str) -> bool {
        self.token.as_ref().is_some_and(|known| known.expose_secret() == token)
    }
}

const FORM: &str = "write `access-key-id = \"secret\"`, or `access-key-id = { secret = \"…\", \
                    token = \"…\", expires = \"1h\" }`";

/// Reads the accounts. Each is `access-key-id = "secret"`, or a table with `secret` and any of
/// `token`, `expires` (a time, or a duration from `now`), `inactive` and `denied`.
///
/// # Errors
///
/// What is wrong, with the line number but without the line's text.
pub fn parse_accounts(text: &str, now: DateTime<Utc>) -> Result<Vec<Account>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let at = |offset: usize, why: &str| {
        let before = &text.as_bytes()[..offset.min(text.len())];
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        format!("line {line}: {why}")
    };
    let table = DeTable::parse(text).map_err(|error| {
        // The error's own message may quote the line.
        let offset = error.span().map_or(0, |span| span.start);
        at(offset, &format!("this is not TOML, or the key occurs twice; {FORM}"))
    })?;
    let accounts: Result<Vec<Account>, String> = table
        .get_ref()
        .iter()
        .map(|(id, value)| account(id.get_ref(), value, now).map_err(|why| at(id.span().start, &why)))
        .collect();
    let accounts = accounts?;
    if accounts.is_empty() { Err(format!("the file has no account; {FORM}")) } else { Ok(accounts) }
}

fn account(id: &str, value: &Spanned<DeValue<'_>>, now: DateTime<Utc>) -> Result<Account, String> {
    let account = match value.get_ref() {
        DeValue::String(secret) => Account::new(id, secret),
        DeValue::Table(table) => account_of_table(id, table, now)?,
        _ => return Err(format!("the secret needs quotes around it; {FORM}")),
    };
    if id.is_empty() || account.secret.expose_secret().is_empty() {
        return Err(format!("the access key id or the secret is empty; {FORM}"));
    }
    if account.expires.is_some() && account.token.is_none() {
        return Err("only a key with a `token` expires".into());
    }
    Ok(account)
}

fn account_of_table(id: &str, table: &DeTable<'_>, now: DateTime<Utc>) -> Result<Account, String> {
    let mut account = Account::new(id, "");
    for (name, value) in table {
        match (name.get_ref().as_ref(), value.get_ref()) {
            ("secret", DeValue::String(text)) => account.secret = text.to_string().into(),
            ("token", DeValue::String(text)) => account.token = Some(text.to_string().into()),
            ("expires", value) => account.expires = Some(expiry(value, now)?),
            ("inactive", DeValue::Boolean(yes)) => account.inactive = *yes,
            ("denied", DeValue::Boolean(yes)) => account.denied = *yes,
            _ => {
                return Err(format!(
                    "a table may hold only `secret`, `token` and `expires` as text, and `inactive` and \
                     `denied` as true or false; {FORM}"
                ));
            }
        }
    }
    Ok(account)
}

/// The expiry: a time with its zone, or a duration from now.
fn expiry(value: &DeValue<'_>, now: DateTime<Utc>) -> Result<DateTime<Utc>, String> {
    let text = match value {
        DeValue::Datetime(time) => time.to_string(),
        DeValue::String(text) => text.to_string(),
        _ => String::new(),
    };
    let from_now = || {
        let length = TimeDelta::from_std(humantime::parse_duration(&text).ok()?).ok()?;
        now.checked_add_signed(length)
    };
    let time = DateTime::parse_from_rfc3339(&text).ok().map(|time| time.to_utc());
    time.or_else(from_now).ok_or_else(|| {
        "`expires` needs a time such as 2026-11-24T10:00:00Z, or a duration such as \"1h\"".into()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-11-24T10:00:00Z".parse().unwrap()
    }

    #[test]
    fn ids_may_be_quoted_and_comments_may_follow() {
        let text = "\u{feff}# keys\r\n\r\nLTAI-test_1 = \"s#1\" # the first\r\n\"a.b\"='s\\2'\r\n'c d' = \"q\\\"\\\\\"\r\n";
        let mut found = parse_accounts(text, now()).unwrap();
        found.sort_by(|a, b| a.id.cmp(&b.id));
        let found: Vec<_> = found.iter().map(|a| (a.id.as_str(), a.secret.expose_secret())).collect();
        assert_eq!(found, [("LTAI-test_1", "s#1"), ("a.b", "s\\2"), ("c d", "q\"\\")]);
    }

    #[test]
    fn a_temporary_key_has_a_token_and_an_expiry() {
        for (expires, at) in [
            ("\"90s\"", "2026-11-24T10:01:30Z"),
            ("2026-11-24T19:00:00+08:00", "2026-11-24T11:00:00Z"),
            ("\"2026-11-24T11:00:00Z\"", "2026-11-24T11:00:00Z"),
        ] {
            let text = format!("sts = {{ secret = \"s\", token = \"t\", expires = {expires} }}");
            let found = parse_accounts(&text, now()).unwrap();
            assert_eq!(found[0].expires, Some(at.parse().unwrap()), "{expires}");
            assert_eq!(found[0].token.as_ref().unwrap().expose_secret(), "t");
        }
        let found = parse_accounts("[a]\nsecret = \"s\"\ninactive = true\ndenied = true\n", now()).unwrap();
        assert!(found[0].inactive && found[0].denied && found[0].token.is_none());
    }

    #[test]
    fn an_error_names_the_line_and_never_a_secret() {
        for line in [
            "id = hunter2",
            "id \"hunter2\"",
            "id = \"hunter2",
            "id = \"hunter2\" hunter2",
            "id = \"hunter2\\n",
            "[hunter2]",
            "= \"hunter2\"",
            "hunter2.x = \"hunter2\"",
            "ok = \"hunter2\"",
            "id = \"\"",
            "id = 2",
            "id = { secret = \"hunter2\", expires = \"1h\" }",
            "id = { secret = \"hunter2\", token = \"t\", expires = \"hunter2\" }",
        ] {
            let error = parse_accounts(&format!("ok = \"fine\"\n\n{line}\n"), now()).err().unwrap();
            assert!(error.starts_with("line 3: ") && !error.contains("hunter2"), "{line}: {error}");
        }
        assert!(parse_accounts("# nothing\n", now()).err().unwrap().contains("no account"));
    }
}
