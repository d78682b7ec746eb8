//! A profile of either kind of file, and the source that it describes. Owns the modes.
//!
//! Values go by the names of the command-line tool; what the SDKs' files call otherwise is named so by their reader.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::Credentials;
use super::chain::Context;
use super::ecs::EcsRole;
use super::external::Process;
use super::source::{Found, Looked, Source};
use super::sts::{AssumeRole, OidcRole, Role};
use super::uri::Uri;
use crate::error::{Error, Result};

/// Which file a profile stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// The command-line tool's.
    Json,
    /// The SDKs'.
    Ini,
}

/// A profile. It cannot be printed: it holds secrets.
pub(super) struct Profile {
    pub(super) name: String,
    pub(super) file: String,
    pub(super) style: Style,
    pub(super) values: BTreeMap<String, String>,
}

impl Profile {
    /// A value that is there and not empty.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// What the profile describes. `all` are the profiles of the same file.
    pub(super) fn look(&self, context: &Context<'_>, all: &[Self]) -> Result<Looked> {
        let mode = self.mode();
        let empty = mode == "AK" && self.get("access_key_id").or(self.get("access_key_secret")).is_none();
        if empty && context.wanted.is_none() {
            // As the tool leaves it behind before it is set up.
            return Ok(Looked::Lacks(format!("the profile `{}` of {} has no key yet", self.name, self.file)));
        }
        let source = self.source(context, all, &[])?;
        let origin = format!("the profile `{}` of {}, mode {mode}", self.name, self.file);
        Ok(Looked::Found(Found::new(source, origin)))
    }

    /// The mode that is named, in the tool's own spelling; a profile of the command-line tool may leave it to be
    /// recognized.
    fn mode(&self) -> &str {
        let Some(named) = self.get("mode") else {
            return if self.style == Style::Json { self.recognized() } else { "" };
        };
        MODES.iter().find(|known| known.eq_ignore_ascii_case(named)).copied().unwrap_or(named)
    }

    fn recognized(&self) -> &'static str {
        let has = |key: &str| self.get(key).is_some();
        if has("access_key_id") && has("access_key_secret") {
            return if has("sts_token") {
                "StsToken"
            } else if has("ram_role_arn") {
                "RamRoleArn"
            } else {
                "AK"
            };
        }
        let by_field = [
            ("private_key", "RsaKeyPair"),
            ("ram_role_name", "EcsRamRole"),
            ("process_command", "External"),
            ("oidc_token_file", "OIDC"),
        ];
        by_field.iter().find(|(key, _)| has(key)).map_or("AK", |(_, mode)| mode)
    }

    /// `within` are the profiles that this one is the source of.
    fn source(&self, context: &Context<'_>, all: &[Self], within: &[&str]) -> Result<Source> {
        let source = match self.mode() {
            "AK" => Source::Fixed(self.key(false)?),
            "StsToken" => Source::Fixed(self.unexpired(self.key(true)?)?),
            "CloudSSO" | "OAuth" => Source::Fixed(self.cached()?),
            "RamRoleArn" => {
                let from = Source::Fixed(self.key(self.get("sts_token").is_some())?);
                Source::Role(Box::new(AssumeRole { from, role: self.role(context)? }))
            }
            "ChainableRamRoleArn" => {
                let from = self.source_profile(context, all, within)?;
                Source::Role(Box::new(AssumeRole { from, role: self.role(context)? }))
            }
            "EcsRamRole" => {
                let role = EcsRole::new(context.environment, self.get("ram_role_name"))
                    .map_err(|why| self.wrong(&why, "unset the variable, or use another profile"))?;
                Source::Ecs(role)
            }
            "OIDC" => Source::Oidc(OidcRole {
                role: self.role(context)?,
                provider_arn: self.need("oidc_provider_arn")?,
                token_file: self.need("oidc_token_file")?.into(),
            }),
            "External" => {
                Source::External(Process::parse(&self.need("process_command")?).map_err(|why| {
                    self.wrong(
                        &why,
                        "write the program and its arguments, with quotes around what has spaces in it",
                    )
                })?)
            }
            "CredentialsURI" => {
                let variable = context.environment.get("ALIBABA_CLOUD_CREDENTIALS_URI");
                let uri = self.get("credentials_uri").or(variable).map(str::to_owned);
                Source::Uri(Uri::parse(&uri.map_or_else(|| self.need("credentials_uri"), Ok)?, context)?)
            }
            other => return Err(self.unusable(other)),
        };
        Ok(source)
    }

    fn source_profile(&self, context: &Context<'_>, all: &[Self], within: &[&str]) -> Result<Source> {
        let name = self.need("source_profile")?;
        let within = [within, &[self.name.as_str()]].concat();
        if within.contains(&name.as_str()) {
            let circle = [within, vec![&name]].concat().join(" → ");
            return Err(self.wrong(
                &format!("source_profile goes in a circle: {circle}"),
                "name a profile that has a key of its own",
            ));
        }
        let Some(source) = all.iter().find(|profile| profile.name == name) else {
            return Err(
                self.wrong(&format!("its source_profile `{name}` is not there"), "add it, or name another")
            );
        };
        source.source(context, all, &within)
    }

    fn key(&self, with_token: bool) -> Result<Credentials> {
        let (id, secret) = (self.need("access_key_id")?, self.need("access_key_secret")?);
        let token = if with_token { Some(self.need("sts_token")?) } else { None };
        let expires_at = self.get("sts_expiration").and_then(|text| text.parse().ok()).filter(|at| *at > 0);
        let expires_at = expires_at.and_then(|at| DateTime::from_timestamp(at, 0));
        Ok(Credentials::new(id, secret, token).until(expires_at.filter(|_| with_token)))
    }

    /// The token that the tool has fetched after a login in a browser, which nobody can do at night.
    fn cached(&self) -> Result<Credentials> {
        let login = "log in anew with";
        let Ok(key) = self.key(true) else {
            return Err(self.wrong("it holds no security token yet", &self.configure(login)));
        };
        self.unexpired(key)
    }

    fn unexpired(&self, key: Credentials) -> Result<Credentials> {
        match key.expires_at.filter(|at| *at <= Utc::now()) {
            None => Ok(key),
            Some(at) => {
                let why = format!("its security token has expired at {}", at.format("%Y-%m-%dT%H:%M:%SZ"));
                Err(self.wrong(&why, &self.configure("get a new one with")))
            }
        }
    }

    fn role(&self, context: &Context<'_>) -> Result<Role> {
        let vpc = self.get("enable_vpc").is_some_and(|on| on.eq_ignore_ascii_case("true"));
        let text = |key: &str| self.get(key).map(str::to_owned);
        let duration_s = match self.get("expired_seconds") {
            None | Some("0") => Role::DURATION_S,
            Some(seconds) => seconds.parse().map_err(|_| {
                self.wrong("expired_seconds is no number of seconds", "write 900 to 43200, or leave it out")
            })?,
        };
        Ok(Role {
            endpoint: context.sts_endpoint(self.get("sts_region"), vpc),
            arn: self.need("ram_role_arn")?,
            session: text("ram_session_name").unwrap_or_else(|| Role::SESSION.to_owned()),
            duration_s,
            policy: text("policy"),
            external_id: text("external_id"),
        })
    }

    fn need(&self, key: &str) -> Result<String> {
        let mode = self.mode();
        self.get(key).map(str::to_owned).ok_or_else(|| {
            let why = format!("{key} is missing (mode {mode})");
            self.wrong(&why, &self.configure("add it there, or with"))
        })
    }

    fn wrong(&self, why: &str, to_do: &str) -> Error {
        Error::usage(format!("the profile `{}` of {} cannot be used: {why}", self.name, self.file))
            .hint(to_do)
    }

    fn configure(&self, what: &str) -> String {
        match self.style {
            Style::Json => {
                format!("{what} `aliyun configure --profile {} --mode {}`", self.name, self.mode())
            }
            Style::Ini => format!("{what} an editor, in the section [{}]", self.name),
        }
    }

    fn unusable(&self, mode: &str) -> Error {
        let usable = "use a profile of the mode AK, StsToken, RamRoleArn, ChainableRamRoleArn, EcsRamRole, OIDC, \
                      External or CredentialsURI";
        let (why, to_do) = match mode {
            "" => (
                "it has no `type`".to_owned(),
                "write `type = access_key`, or what it is, into its section".to_owned(),
            ),
            "RamRoleArnWithRoleName" => (
                "the mode RamRoleArnWithRoleName is outdated".to_owned(),
                "make it ChainableRamRoleArn, with an EcsRamRole profile as its source_profile".to_owned(),
            ),
            "RsaKeyPair" => ("the mode RsaKeyPair is outdated".to_owned(), usable.to_owned()),
            "BearerToken" | "Anonymous" => (
                format!("this operation has to be signed, which the mode {mode} does not"),
                usable.to_owned(),
            ),
            other => (format!("there is no mode `{other}`"), usable.to_owned()),
        };
        self.wrong(&why, &to_do)
    }
}

/// As the command-line tool spells them.
const MODES: [&str; 14] = [
    "AK",
    "StsToken",
    "RamRoleArn",
    "EcsRamRole",
    "RsaKeyPair",
    "RamRoleArnWithRoleName",
    "ChainableRamRoleArn",
    "External",
    "CredentialsURI",
    "OIDC",
    "CloudSSO",
    "OAuth",
    "BearerToken",
    "Anonymous",
];
