//! The source of keys that a profile describes.

use chrono::{DateTime, Utc};

use super::context::Context;
use super::ecs::EcsRole;
use super::external::ExternalProgram;
use super::lookup::LookupResult;
use super::mode::Mode;
use super::profile::{FileFormat, Profile, USABLE_MODES};
use super::source::Source;
use super::sts::{OidcRole, Role};
use super::uri::CredentialsUri;
use crate::error::{Error, Result};
use crate::provider::key::Credentials;
use crate::zone;

/// The source that a profile describes. `all` are the profiles of the same file.
///
/// # Errors
///
/// Exit 2 when the profile cannot be used.
pub(super) fn look(profile: &Profile, context: &Context<'_>, all: &[Profile]) -> Result<LookupResult> {
    let mode = profile.mode()?;
    let has_key = profile.get("access_key_id").or(profile.get("access_key_secret")).is_some();
    if mode == Mode::Ak && !has_key && context.requested.is_none() {
        // The command-line tool creates an empty profile before it is configured.
        let Profile { name, file, .. } = profile;
        return Ok(LookupResult::Missing(format!("the profile `{name}` of {file} has no key yet")));
    }
    let source = ProfileReader { profile, mode, context, all }.source(&[])?;
    let origin = format!("the profile `{}` of {}, mode {}", profile.name, profile.file, mode.as_str());
    Ok(LookupResult::found(source, origin))
}

/// A profile with its mode and what else its source depends on.
#[derive(Clone, Copy)]
struct ProfileReader<'a> {
    profile: &'a Profile,
    mode: Mode,
    context: &'a Context<'a>,
    all: &'a [Profile],
}

impl<'a> ProfileReader<'a> {
    /// The profile's source. `users` are the names of the profiles that lead here by their
    /// `source_profile`.
    fn source(self, users: &[&str]) -> Result<Source> {
        Ok(match self.mode {
            Mode::Ak => Source::Static(self.key()?),
            Mode::StsToken => Source::Static(self.unexpired(self.temporary_key()?)?),
            Mode::CloudSso | Mode::OAuth => Source::Static(self.key_of_login()?),
            Mode::RamRoleArn => {
                let temporary = self.profile.get("sts_token").is_some();
                let key = if temporary { self.temporary_key()? } else { self.key()? };
                Source::Role { from: Box::new(Source::Static(key)), role: self.role()? }
            }
            Mode::ChainableRamRoleArn => {
                Source::Role { from: Box::new(self.source_profile(users)?), role: self.role()? }
            }
            Mode::EcsRamRole => {
                let role = EcsRole::new(self.context.environment, self.profile.get("ram_role_name"));
                let to_do = "unset the variable, or use another profile";
                Source::Ecs(role.map_err(|why| self.profile.unusable(&why, to_do))?)
            }
            Mode::Oidc => Source::Oidc(OidcRole {
                role: self.role()?,
                provider_arn: self.required("oidc_provider_arn")?,
                token_file: self.required("oidc_token_file")?.into(),
            }),
            Mode::External => Source::External(self.external()?),
            Mode::CredentialsUri => Source::Uri(self.uri()?),
            Mode::RsaKeyPair | Mode::RamRoleArnWithRoleName | Mode::BearerToken | Mode::Anonymous => {
                return Err(self.unusable_mode());
            }
        })
    }

    /// The source of the profile that `source_profile` names.
    fn source_profile(self, users: &[&str]) -> Result<Source> {
        let name = self.required("source_profile")?;
        let users = [users, &[self.profile.name.as_str()]].concat();
        if users.contains(&name.as_str()) {
            let circle = [users, vec![&name]].concat().join(" → ");
            return Err(self.profile.unusable(
                &format!("its source_profile leads back to itself: {circle}"),
                "set source_profile to a profile that has its own key",
            ));
        }
        let Some(profile) = self.all.iter().find(|profile| profile.name == name) else {
            let why = format!("its source_profile `{name}` does not exist");
            return Err(self.profile.unusable(&why, "add it, or name another"));
        };
        ProfileReader { profile, mode: profile.mode()?, ..self }.source(&users)
    }

    fn external(self) -> Result<ExternalProgram> {
        ExternalProgram::parse(&self.required("process_command")?).map_err(|why| {
            self.profile.unusable(&why, "write the program and its arguments; put quotes around spaces")
        })
    }

    fn uri(self) -> Result<CredentialsUri> {
        let variable = self.context.environment.get("ALIBABA_CLOUD_CREDENTIALS_URI");
        let uri = match self.profile.get("credentials_uri").or(variable) {
            Some(uri) => uri.to_owned(),
            None => self.required("credentials_uri")?,
        };
        CredentialsUri::parse(&uri, self.context.insecure_http)
    }

    /// The key without a security token.
    fn key(self) -> Result<Credentials> {
        Ok(Credentials::new(self.required("access_key_id")?, self.required("access_key_secret")?, None))
    }

    /// The key with its security token and its expiration time, if the profile has one.
    fn temporary_key(self) -> Result<Credentials> {
        let (id, secret) = (self.required("access_key_id")?, self.required("access_key_secret")?);
        let key = Credentials::new(id, secret, Some(self.required("sts_token")?));
        let seconds = self.profile.get("sts_expiration").and_then(|text| text.parse().ok());
        let expires_at = seconds.filter(|at| *at > 0).and_then(|at| DateTime::from_timestamp(at, 0));
        Ok(key.expiring_at(expires_at))
    }

    /// The key that the tool fetched after a login in a browser, which cannot be repeated
    /// unattended.
    fn key_of_login(self) -> Result<Credentials> {
        let Ok(key) = self.temporary_key() else {
            let why = "it has no security token yet";
            return Err(self.profile.unusable(why, &self.edit_hint("log in again")));
        };
        self.unexpired(key)
    }

    fn unexpired(self, key: Credentials) -> Result<Credentials> {
        match key.expires_at.filter(|at| *at <= Utc::now()) {
            None => Ok(key),
            Some(at) => {
                let why = format!("its security token expired at {}", zone::date_and_time(at));
                Err(self.profile.unusable(&why, &self.edit_hint("set a new one")))
            }
        }
    }

    fn role(self) -> Result<Role> {
        let text = |key: &str| self.profile.get(key).map(str::to_owned);
        let vpc = self.profile.get("enable_vpc").is_some_and(|on| on.eq_ignore_ascii_case("true"));
        let duration_s = match self.profile.get("expired_seconds") {
            None | Some("0") => Role::DURATION_S,
            Some(seconds) => seconds.parse().map_err(|_| {
                self.profile.unusable(
                    "expired_seconds is not a number of seconds",
                    "write 900 to 43200, or leave it out",
                )
            })?,
        };
        Ok(Role {
            endpoint: self.context.sts_endpoint(self.profile.get("sts_region"), vpc),
            arn: self.required("ram_role_arn")?,
            session: text("ram_session_name").unwrap_or_else(|| Role::SESSION.to_owned()),
            duration_s,
            policy: text("policy"),
            external_id: text("external_id"),
        })
    }

    fn required(self, key: &str) -> Result<String> {
        self.profile.get(key).map(str::to_owned).ok_or_else(|| {
            let why = format!("{key} is missing (mode {})", self.mode.as_str());
            self.profile.unusable(&why, &self.edit_hint("add it"))
        })
    }

    /// The hint to do `task`, and where to do it.
    fn edit_hint(self, task: &str) -> String {
        let (name, mode) = (&self.profile.name, self.mode.as_str());
        match self.profile.format {
            FileFormat::Json => format!("{task} with `aliyun configure --profile {name} --mode {mode}`"),
            FileFormat::Ini => format!("{task} in the section [{name}] of that file"),
        }
    }

    fn unusable_mode(self) -> Error {
        let mode = self.mode.as_str();
        match self.mode {
            Mode::RamRoleArnWithRoleName => self.profile.unusable(
                &format!("the mode {mode} is outdated"),
                "change it to ChainableRamRoleArn, with an EcsRamRole profile as its source_profile",
            ),
            Mode::RsaKeyPair => self.profile.unusable(&format!("the mode {mode} is outdated"), USABLE_MODES),
            _ => {
                let why = format!("requests must be signed, and the mode {mode} does not sign");
                self.profile.unusable(&why, USABLE_MODES)
            }
        }
    }
}
