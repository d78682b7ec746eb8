//! The group of metrics at a Pushgateway: the labels in the path of its URL. Pure.
//!
//! A group stays until somebody deletes it, so no label may change from run to run. The default is
//! `job="reconcile"` and `instance` = the ledger's name without dates. No label names a pod.

use std::path::Path;

use percent_encoding::percent_decode_str;
use reqwest::Url;

/// Value of the label `job`.
const JOB: &str = "reconcile";
/// Value of the label `instance` for a ledger without a name.
const UNNAMED: &str = "ledger";
/// Fewest digits of a number that is a date or a time.
const DIGITS_OF_A_DATE: usize = 6;

/// The labels of a group, with their values as the text format writes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group(Vec<(String, String)>);

impl Group {
    /// The group that the URL names after `/metrics`. A URL without one gets the default group of
    /// this ledger. `None` if a label is without a value.
    pub(super) fn of(url: &mut Url, ledger: &Path) -> Option<Self> {
        let mut path: Vec<String> = segments(url).map(str::to_owned).collect();
        if start_of_group(&path).is_none() {
            if path.last().is_some_and(|last| last == "metrics") {
                path.pop();
            }
            let group = ["metrics", "job", JOB, "instance", &instance(ledger)].map(str::to_owned);
            url.path_segments_mut().ok()?.clear().extend(path.iter().chain(&group));
            path = segments(url).map(str::to_owned).collect();
        }
        let labels = &path[start_of_group(&path)?..];
        let pair = |pair: &[String]| match pair {
            [label, value] if !value.is_empty() => Some((decoded(label), escaped(&decoded(value)))),
            _ => None,
        };
        labels.chunks(2).map(pair).collect::<Option<_>>().map(Self)
    }

    /// The URL of all metrics of the Pushgateway with this group.
    pub(super) fn all_metrics(url: &Url) -> Url {
        let mut all = url.clone();
        let path: Vec<&str> = segments(url).collect();
        if let (Some(start), Ok(mut kept)) = (start_of_group(&path), all.path_segments_mut()) {
            kept.clear().extend(&path[..start]);
        }
        all
    }

    /// The samples of this group among all metrics, without the labels of the group.
    pub(super) fn own_lines(&self, all: &str) -> String {
        all.lines()
            .filter(|line| line.starts_with("reconcile_"))
            .filter_map(|line| self.own_line(line))
            .collect()
    }

    fn own_line(&self, line: &str) -> Option<String> {
        let (name, rest) = line.split_once('{')?;
        let (mut labels, value) = labels_of(rest)?;
        for (label, value) in &self.0 {
            let at = labels.iter().position(|found| found == &(label.as_str(), value.as_str()))?;
            labels.remove(at);
        }
        // The Pushgateway adds this label to a group without it.
        labels.retain(|label| *label != ("instance", ""));
        let labels: Vec<String> =
            labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        Some(format!("{name}{labels} {value}\n"))
    }
}

/// The parts of a path, without empty ones at its end.
fn segments(url: &Url) -> impl Iterator<Item = &str> {
    url.path().trim_matches('/').split('/').filter(|part| !part.is_empty())
}

/// Where the labels of the group begin in a path; `None` if it names no group.
fn start_of_group(path: &[impl AsRef<str>]) -> Option<usize> {
    let is_start = |pair: &[_]| match pair {
        [metrics, job] => AsRef::<str>::as_ref(metrics) == "metrics" && is_job(AsRef::<str>::as_ref(job)),
        _ => false,
    };
    path.windows(2).position(is_start).map(|at| at + 1)
}

fn is_job(label: &str) -> bool {
    label == "job" || label == "job@base64"
}

fn decoded(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
}

/// A label's value as the text format writes it.
pub(super) fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

/// The labels after `{`, with their values as they are written, and the sample's value; `None` if
/// the line is of another form.
fn labels_of(mut rest: &str) -> Option<(Vec<(&str, &str)>, &str)> {
    let mut labels = Vec::new();
    while !rest.starts_with('}') {
        let (label, quoted) = rest.split_once("=\"")?;
        let mut is_escaped = false;
        let end = quoted.find(|c| {
            let is_end = c == '"' && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            is_end
        })?;
        labels.push((label, &quoted[..end]));
        rest = &quoted[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    Some((labels, rest[1..].split_whitespace().next()?))
}

/// The ledger's name without its endings and without dates: `calls` for `calls-2026-11-26.csv.gz`.
/// A name that changes every night would leave a group each night.
fn instance(ledger: &Path) -> String {
    let name = ledger.file_name().unwrap_or_default().to_string_lossy();
    let name = name.split('.').next().unwrap_or_default();
    let is_part_of_date = |c: char| c.is_ascii_digit() || matches!(c, '-' | '_');
    let (mut kept, mut rest) = (String::new(), name);
    while let Some(first) = rest.chars().next() {
        let is_number = is_part_of_date(first);
        let end = rest.find(|c| is_part_of_date(c) != is_number).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        let digits = part.bytes().filter(u8::is_ascii_digit).count();
        kept.push_str(if digits >= DIGITS_OF_A_DATE { "-" } else { part });
        rest = after;
    }
    let kept = kept.trim_matches(['-', '_', ' ']);
    if kept.is_empty() { UNNAMED.to_owned() } else { kept.to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn group(url: &str, ledger: &str) -> (String, Option<Group>) {
        let mut url = Url::parse(url).unwrap();
        let group = Group::of(&mut url, Path::new(ledger));
        (url.to_string(), group)
    }

    #[test]
    fn the_default_group_names_job_and_ledger() {
        for (ledger, instance) in [
            ("in/calls.csv", "calls"),
            ("calls-2026-11-26.csv.gz", "calls"),
            ("s3://night/in/calls_20261126_sh.parquet", "calls-sh"),
            ("2026-11-26 voice.xlsx", "voice"),
            ("account-1001.csv", "account-1001"),
            ("13812345678.csv", "ledger"),
            ("-", "ledger"),
            ("a b\"c.csv", "a%20b%22c"),
            ("话单20261126.csv", "%E8%AF%9D%E5%8D%95"),
        ] {
            for base in ["http://h:9091", "http://h:9091/", "http://h:9091/metrics", "http://h:9091/metrics/"]
            {
                let (url, group) = group(base, ledger);
                assert_eq!(url, format!("http://h:9091/metrics/job/reconcile/instance/{instance}"), "{base}");
                assert_eq!(group.unwrap().0.len(), 2);
            }
        }
        assert_eq!(group("https://h/gw/", "a.csv").0, "https://h/gw/metrics/job/reconcile/instance/a");
    }

    #[test]
    fn a_url_may_name_the_group_itself() {
        let (url, named) = group("https://u:p@h/gw/metrics/job/night/team/a%20b", "calls.csv");
        assert_eq!(url, "https://u:p@h/gw/metrics/job/night/team/a%20b");
        let pair = |label: &str, value: &str| (label.to_owned(), value.to_owned());
        assert_eq!(named.unwrap().0, [pair("job", "night"), pair("team", "a b")]);
        assert_eq!(Group::all_metrics(&Url::parse(&url).unwrap()).as_str(), "https://u:p@h/gw/metrics");
        assert_eq!(group("https://h/metrics/job/night/team", "calls.csv").1, None);
    }

    #[test]
    fn only_samples_of_the_group_are_read() {
        let group = group("http://h/metrics/job/night/team/a%22b", "x").1.unwrap();
        let all = r#"# HELP reconcile_calls x
reconcile_calls{instance="",job="night",status="found",team="a\"b"} 7
reconcile_calls{instance="",job="night",status="found",team="other"} 8
reconcile_last_exit_code{instance="",job="night",team="a\"b"} 0
reconcile_last_success_timestamp_seconds{instance="",job="night",team="a\"b"} 1.764e+09
reconcile_calls{job="night
reconcile_calls 9
push_time_seconds{instance="",job="night",team="a\"b"} 1
"#;
        assert_eq!(
            group.own_lines(all),
            "reconcile_calls{status=\"found\"} 7\nreconcile_last_exit_code 0\n\
             reconcile_last_success_timestamp_seconds 1.764e+09\n"
        );
    }
}
