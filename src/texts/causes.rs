//! Why requests and calls failed, why a run is incomplete, and what to do about it.
//!
//! A provider's code and message are quoted as they are. Its message may hold a phone number.

use std::time::Duration;

use crate::failures::{Cause, ToDo};
use crate::incomplete::{Incomplete, NAMED_ACCOUNTS, StoppedAccount};
use crate::output::lang::Lang;
use crate::provider::lost::{LostDetail, LostReason};
use crate::stop::{Reason, Silence, TimeLimit};
use crate::words::count;
use crate::zone::time_of_day;
use reconcile_core::answer::MALFORMED;

/// The reason of a failure, and what to do about it if the reason tells.
#[must_use]
pub fn cause_with_advice(lang: Lang, failed: &Cause) -> String {
    let cause = cause(lang, failed);
    match (failed.to_do(), lang) {
        (None, _) => cause,
        (Some(to_do), Lang::En) => format!("{cause}; {to_do}"),
        (Some(to_do), Lang::Zh) => format!("{cause}；{}", advice(to_do)),
    }
}

/// The reason of a failure.
#[must_use]
pub fn cause(lang: Lang, cause: &Cause) -> String {
    match lang {
        Lang::En => cause.to_string(),
        Lang::Zh => failure(&cause.code, &cause.message),
    }
}

fn advice(to_do: ToDo) -> &'static str {
    match to_do {
        ToDo::CheckProxyPassword => "请检查代理及其密码",
        ToDo::CheckEndpointAndProxy => "请检查接口地址及代理",
        ToDo::CheckDns => "请检查域名解析或代理",
        ToDo::CheckEndpointAndFirewall => "请检查接口地址、防火墙及代理",
        ToDo::CheckNetwork => "请检查网络及代理",
        ToDo::CheckEndpointAndClock => "请检查接口地址及本机时钟",
    }
}

/// Why some calls of a run have no answer.
#[must_use]
pub fn incomplete(lang: Lang, because: &Incomplete) -> String {
    if lang == Lang::En {
        return because.to_string();
    }
    match because {
        Incomplete::Stopped(None) => "运行被中止".to_owned(),
        Incomplete::Stopped(Some(reason)) => stopped(reason),
        Incomplete::Accounts(accounts) => {
            let named = accounts.iter().take(NAMED_ACCOUNTS);
            let named = named
                .map(|StoppedAccount { name, because }| format!("账号“{name}”被中止：{}", stopped(because)));
            let more = match accounts.len().saturating_sub(NAMED_ACCOUNTS) {
                0 => String::new(),
                more => format!("；另有 {more} 个账号被中止"),
            };
            named.collect::<Vec<_>>().join("；") + &more
        }
        Incomplete::Exhausted { calls, cause: None } => {
            format!("{} 通通话多次尝试均失败", count(*calls))
        }
        Incomplete::Exhausted { calls, cause: Some(cause) } => {
            format!("{} 通通话多次尝试均失败：{}", count(*calls), failure(&cause.code, &cause.message))
        }
        Incomplete::Offline { calls } => {
            format!("{} 通通话在本地没有已存结果（离线运行）", count(*calls))
        }
    }
}

/// Why a run was stopped.
pub(super) fn stopped(reason: &Reason) -> String {
    match reason {
        Reason::Time(TimeLimit::Deadline(at)) => format!("已到截止时间 {}", time_of_day(*at)),
        Reason::Time(TimeLimit::MaxDuration(duration)) => format!("已达最长运行时间 {}", span(*duration)),
        Reason::Signal(name) => format!("被信号 {name} 中止"),
        Reason::NoKey(_) => "无法取得访问密钥，原因见运行日志".to_owned(),
        Reason::Fatal { code, .. } => format!("服务商拒绝请求，返回码 {code}"),
        Reason::Unreachable(silence) | Reason::Silent(silence) => silent(silence),
        Reason::Failed(_) => "存储库或台账出错，原因见运行日志".to_owned(),
    }
}

fn silent(silence: &Silence) -> String {
    let what = if silence.never_sent { "无法连接服务商" } else { "服务商没有应答" };
    let lasted = silence.lasted.map(|lasted| format!("（已持续 {}）", span(lasted))).unwrap_or_default();
    format!("{what}：{}{lasted}", failure(&silence.cause.code, &silence.cause.message))
}

/// A failure with this code and message, in Chinese.
pub(super) fn failure(code: &str, message: &str) -> String {
    match (LostReason::parse(code), message.trim_end_matches(['.', '。'])) {
        (Some(reason), "") => lost_reason(reason).to_owned(),
        (Some(reason), message) => lost(reason, &LostDetail::parse(message)),
        (None, _) if code == MALFORMED => format!("服务商返回的通话数据无法解析（{code}）"),
        // The message quotes the gateway's page.
        (None, _) if code.starts_with("HTTP ") => format!("应答来自网关而非服务商（{code}）"),
        (None, message) if message.is_empty() || message == code => format!("服务商返回 {code}"),
        (None, message) => format!("服务商返回 {code}：“{message}”"),
    }
}

fn lost_reason(reason: LostReason) -> &'static str {
    match reason {
        LostReason::Timeout => "请求超时",
        LostReason::Connect => "无法建立连接",
        LostReason::Certificate => "证书不受信任",
        LostReason::Cut => "应答中途断开",
        LostReason::Transport => "连接出错",
        LostReason::KeyExpired => "访问密钥已过期",
    }
}

fn lost(reason: LostReason, detail: &LostDetail) -> String {
    match detail {
        LostDetail::TimedOut(seconds) => format!("{seconds} 秒内没有应答"),
        LostDetail::NotConnectedInTime => "在时限内无法建立连接".to_owned(),
        LostDetail::ConnectionRefused => "连接被拒绝".to_owned(),
        LostDetail::Unresolved(name) => format!("无法解析域名 {name}"),
        LostDetail::ProxyLogin => "代理拒绝连接，需要用户名和密码（407）".to_owned(),
        LostDetail::ProxyRefused => "代理拒绝连接".to_owned(),
        LostDetail::Certificate(cause) => format!("证书不受信任：“{cause}”"),
        LostDetail::Tls(cause) => format!("TLS 握手失败：“{cause}”"),
        LostDetail::KeyExpired => "访问密钥在请求发出前已过期".to_owned(),
        LostDetail::Other(cause) => format!("{}：“{cause}”", lost_reason(reason)),
    }
}

/// A duration in Chinese, in whole seconds: `10 分 3 秒`.
pub(super) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let parts = [
        (seconds / 86_400, "天"),
        (seconds / 3_600 % 24, "小时"),
        (seconds / 60 % 60, "分"),
        (seconds % 60, "秒"),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n} {unit}")).collect();
    if parts.is_empty() { "0 秒".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::DateTime;

    use super::*;
    use crate::error::Error;
    use crate::texts::checks::assert_translated;

    const ALLOWED: [&str; 9] =
        ["UTC", "SIGTERM", "isv.X", "HTTP", "x.test", "MalformedData", "TLS", "UnknownIssuer", "MiB"];

    fn causes() -> Vec<Cause> {
        let lost = |reason: LostReason, detail: LostDetail| Cause::new(reason.as_str(), &detail.to_string());
        let mut causes = vec![
            lost(LostReason::Timeout, LostDetail::TimedOut("0.5".into())),
            lost(LostReason::Connect, LostDetail::NotConnectedInTime),
            lost(LostReason::Connect, LostDetail::ConnectionRefused),
            lost(LostReason::Connect, LostDetail::Unresolved("x.test".into())),
            lost(LostReason::Connect, LostDetail::ProxyLogin),
            lost(LostReason::Connect, LostDetail::ProxyRefused),
            lost(LostReason::Connect, LostDetail::Tls("UnknownIssuer".into())),
            lost(LostReason::Certificate, LostDetail::Certificate("UnknownIssuer".into())),
            lost(LostReason::KeyExpired, LostDetail::KeyExpired),
            lost(LostReason::Cut, LostDetail::Other("UnknownIssuer".into())),
            Cause::new("isv.X", ""),
            Cause::new("HTTP 503", "not the provider's answer: <html>"),
            Cause::new(MALFORMED, "the answer is not valid JSON or XML"),
        ];
        causes.extend(LostReason::ALL.map(|reason| Cause::new(reason.as_str(), "")));
        causes
    }

    #[test]
    fn every_cause_and_its_advice_have_both_languages() {
        for it in causes() {
            let [en, zh] = [Lang::En, Lang::Zh].map(|lang| cause_with_advice(lang, &it));
            assert_translated(&en, &zh, &ALLOWED);
            assert_eq!(zh.contains("；请"), it.to_do().is_some(), "{zh}");
        }
        let provider = Cause::new("isv.X", "号码 13812345678");
        assert_eq!(crate::shown::shown(&cause(Lang::Zh, &provider)), "服务商返回 isv.X：“号码 138****5678”");
    }

    #[test]
    fn every_reason_of_an_incomplete_run_has_both_languages() {
        let refused = || Cause::new("connect", "connection refused");
        let silence = |never_sent, lasted| Silence { cause: refused(), never_sent, lasted };
        let at = DateTime::UNIX_EPOCH.fixed_offset();
        for reason in [
            Reason::Time(TimeLimit::Deadline(at)),
            Reason::Time(TimeLimit::MaxDuration(Duration::from_secs(5_400))),
            Reason::Signal("SIGTERM"),
            Reason::NoKey("the request failed".into()),
            Reason::Fatal { code: "isv.X".into(), message: String::new(), advice: "check the key" },
            Reason::Unreachable(silence(true, None)),
            Reason::Silent(silence(false, Some(Duration::from_secs(1_803)))),
            Reason::Failed(Arc::new(Error::usage("the ledger changed"))),
        ] {
            let it = Incomplete::Stopped(Some(reason));
            assert_translated(&incomplete(Lang::En, &it), &incomplete(Lang::Zh, &it), &ALLOWED);
        }
        for it in [
            Incomplete::Stopped(None),
            Incomplete::Exhausted { calls: 3, cause: None },
            Incomplete::Exhausted { calls: 3, cause: Some(refused()) },
            Incomplete::Offline { calls: 1 },
        ] {
            assert_translated(&incomplete(Lang::En, &it), &incomplete(Lang::Zh, &it), &ALLOWED);
        }
    }

    #[test]
    fn a_span_has_no_zero_parts() {
        let words = [0, 3, 603, 5_400, 90_061].map(|seconds| span(Duration::from_secs(seconds)));
        assert_eq!(words, ["0 秒", "3 秒", "10 分 3 秒", "1 小时 30 分", "1 天 1 小时 1 分 1 秒"]);
    }
}
