//! The modes of a profile: how its key is obtained. Source: the provider's command-line tool.

/// A mode of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// A static key.
    Ak,
    /// A static key with a security token.
    StsToken,
    /// A role that the profile's own key assumes.
    RamRoleArn,
    /// The role of the machine.
    EcsRamRole,
    /// An outdated mode.
    RsaKeyPair,
    /// An outdated mode.
    RamRoleArnWithRoleName,
    /// A role that the key of another profile assumes.
    ChainableRamRoleArn,
    /// A program that prints a key.
    External,
    /// A URL that returns a key.
    CredentialsUri,
    /// A role that a token of another identity provider assumes.
    Oidc,
    /// A security token that the tool fetched after a login in a browser.
    CloudSso,
    /// The same as `CloudSso`.
    OAuth,
    /// A token that does not sign requests.
    BearerToken,
    /// No key.
    Anonymous,
}

impl Mode {
    const ALL: [Self; 14] = [
        Self::Ak,
        Self::StsToken,
        Self::RamRoleArn,
        Self::EcsRamRole,
        Self::RsaKeyPair,
        Self::RamRoleArnWithRoleName,
        Self::ChainableRamRoleArn,
        Self::External,
        Self::CredentialsUri,
        Self::Oidc,
        Self::CloudSso,
        Self::OAuth,
        Self::BearerToken,
        Self::Anonymous,
    ];

    /// The mode of this name, in any case.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str().eq_ignore_ascii_case(name))
    }

    /// The tool's spelling.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ak => "AK",
            Self::StsToken => "StsToken",
            Self::RamRoleArn => "RamRoleArn",
            Self::EcsRamRole => "EcsRamRole",
            Self::RsaKeyPair => "RsaKeyPair",
            Self::RamRoleArnWithRoleName => "RamRoleArnWithRoleName",
            Self::ChainableRamRoleArn => "ChainableRamRoleArn",
            Self::External => "External",
            Self::CredentialsUri => "CredentialsURI",
            Self::Oidc => "OIDC",
            Self::CloudSso => "CloudSSO",
            Self::OAuth => "OAuth",
            Self::BearerToken => "BearerToken",
            Self::Anonymous => "Anonymous",
        }
    }
}
