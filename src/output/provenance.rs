//! The origin of the files, as they name it.

use chrono::{DateTime, SecondsFormat, Utc};

use super::mask::MaskPhones;
use super::schema::SCHEMA_VERSION;
use reconcile_core::rate::Rate;
use reconcile_core::traffic::Traffic;

/// A file of a ledger that has several.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LedgerFile {
    /// As named on the command line; phone numbers masked.
    pub name: String,
    /// SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// Its rows.
    pub rows: u64,
}

/// The run that writes the files.
#[derive(Debug, Clone)]
pub struct Provenance {
    /// Version of the program.
    pub version: &'static str,
    /// UUID of the run, as in the store.
    pub run_id: String,
    /// The ledger, as named on the command line; phone numbers masked.
    pub input: String,
    /// SHA-256 of the ledger's bytes, in hexadecimal digits.
    pub input_sha256: String,
    /// The files of a ledger that has several.
    pub files: Vec<LedgerFile>,
    /// Start of this process.
    pub started_at: DateTime<Utc>,
    /// Whether the answers are simulated.
    pub sandbox: bool,
    /// The cap.
    pub cap: Rate,
    /// How the data files mask phone numbers.
    pub mask: MaskPhones,
}

impl Provenance {
    /// Start of this process in RFC 3339, to the second, UTC.
    pub(super) fn started_at_text(&self) -> String {
        self.started_at.to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    /// Key-value metadata of the Parquet files.
    pub(super) fn metadata(&self, traffic: &Traffic) -> Vec<(String, String)> {
        let pairs = [
            ("version", self.version.to_owned()),
            ("schema_version", SCHEMA_VERSION.to_owned()),
            ("run_id", self.run_id.clone()),
            ("input", self.input.clone()),
            ("input_sha256", self.input_sha256.clone()),
            ("started_at", self.started_at_text()),
            ("sandbox", self.sandbox.to_string()),
            ("cap", self.cap.to_string()),
            ("requests", traffic.requests.to_string()),
            ("most_in_any_window", traffic.evidence.most_in_any_window.to_string()),
            ("mask_phones", self.mask.name().to_owned()),
        ];
        let key_id = self.mask.key_id().map(|id| ("mask_key_id", id.to_owned()));
        pairs.into_iter().chain(key_id).map(|(key, value)| (format!("reconcile.{key}"), value)).collect()
    }
}
