//! Notifications to the robots of chats: message, signature, limits, and what the platform's own
//! code says. The stubs check each message as the platforms do, and answer HTTP 200 to most that
//! they refuse.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::Url;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::provider::Reply;
use crate::support::rust_files::root;
use crate::support::{Bench, Run, id, ledger, read_post};

const SECRET: &str = "SECd4c3b2a1+/= 密钥";
const TOKEN: &str = "t0ken-0a1b2c3d-4e5f-6071";
const LINK: &str = "https://files.example.com/night.html?day=(1)";
/// The link as messages must write it.
const LINK_POSTED: &str = "https://files.example.com/night.html?day=%281%29";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Platform {
    DingTalk,
    WeCom,
    Feishu,
}

use Platform::{DingTalk, Feishu, WeCom};

const ALL: [Platform; 3] = [DingTalk, WeCom, Feishu];

impl Platform {
    fn format(self) -> &'static str {
        match self {
            DingTalk => "dingtalk",
            WeCom => "wecom",
            Feishu => "feishu",
        }
    }

    fn path(self) -> String {
        match self {
            DingTalk => format!("/robot/send?access_token={TOKEN}&n=a%20b"),
            WeCom => format!("/cgi-bin/webhook/send?key={TOKEN}"),
            Feishu => format!("/open-apis/bot/v2/hook/{TOKEN}"),
        }
    }

    fn success(self) -> &'static str {
        if self == Feishu {
            r#"{"code":0,"data":{},"msg":"success"}"#
        } else {
            r#"{"errcode":0,"errmsg":"ok"}"#
        }
    }

    /// A limit that was reached.
    fn too_many(self) -> &'static str {
        match self {
            DingTalk => r#"{"errcode":130101,"errmsg":"send too fast, exceed 20 times per minute"}"#,
            WeCom => r#"{"errcode":45009,"errmsg":"api freq out of limit"}"#,
            Feishu => r#"{"code":11232,"data":{},"msg":"frequency limited psm[lark.oapi.app]appID[1500]"}"#,
        }
    }

    /// A refusal, the words that the warning quotes, and a word of its advice.
    fn refusal(self) -> (&'static str, &'static str, &'static str) {
        match self {
            DingTalk => (
                r#"{"errcode":310000,"errmsg":"keywords not in content"}"#,
                "errcode 310000: keywords not in content",
                "keyword",
            ),
            WeCom => (
                r#"{"errcode":93000,"errmsg":"invalid webhook url"}"#,
                "errcode 93000: invalid webhook url",
                "check the notification URL",
            ),
            Feishu => (
                r#"{"StatusCode":0,"StatusMessage":"","code":19024,"msg":"Key Words Not Found"}"#,
                "code 19024: Key Words Not Found",
                "keyword",
            ),
        }
    }
}

/// A post as it arrived.
#[derive(Clone, Debug)]
struct Post {
    url: Url,
    head: String,
    bytes: usize,
    body: Value,
}

impl Post {
    fn parameter(&self, name: &str) -> Option<String> {
        self.url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// The Markdown, or a card's title, text and link, as one text.
    fn text(&self) -> String {
        let card = &self.body["card"];
        let parts = match self.body["msgtype"].as_str() {
            Some(_) => vec![&self.body["markdown"]["text"], &self.body["markdown"]["content"]],
            None => vec![
                &card["header"]["title"]["content"],
                &card["elements"][0]["text"]["content"],
                &card["elements"][1]["actions"][0]["text"]["content"],
                &card["elements"][1]["actions"][0]["url"],
            ],
        };
        parts.into_iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
    }
}

/// Posts, each with what is wrong with it.
type Posts = Arc<Mutex<Vec<(Post, Option<String>)>>>;

/// A robot of a platform. It checks each post; if nothing is wrong it gives the next of its
/// replies, the last one again and again.
struct Robot {
    platform: Platform,
    port: u16,
    posts: Posts,
}

impl Robot {
    /// A robot that demands a signature with this secret, if there is one.
    fn start(platform: Platform, secret: Option<&'static str>, replies: &[(u16, &str)]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let (port, posts) = (listener.local_addr().unwrap().port(), Posts::default());
        let kept = Arc::clone(&posts);
        let replies: Vec<(u16, String)> =
            replies.iter().map(|(status, body)| (*status, (*body).to_owned())).collect();
        std::thread::spawn(move || {
            for (i, stream) in listener.incoming().flatten().enumerate() {
                let (head, body) = read_post(&stream);
                let target = head.split(' ').nth(1).unwrap();
                let post = Post {
                    url: Url::parse(&format!("http://127.0.0.1:{port}{target}")).unwrap(),
                    bytes: body.len(),
                    body: serde_json::from_slice(&body).unwrap(),
                    head,
                };
                let complaint = complaint(platform, secret, &post);
                let (status, reply) = match &complaint {
                    Some(why) if platform == Feishu => (200, json!({"code": 19021, "msg": why}).to_string()),
                    Some(why) => (200, json!({"errcode": 310_000, "errmsg": why}).to_string()),
                    None => replies[i.min(replies.len() - 1)].clone(),
                };
                kept.lock().unwrap().push((post, complaint));
                let length = reply.len();
                let reply = format!(
                    "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{reply}"
                );
                (&stream).write_all(reply.as_bytes()).unwrap();
            }
        });
        Self { platform, port, posts }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}{}", self.port, self.platform.path())
    }

    /// All posts, of which the robot found nothing wrong.
    #[track_caller]
    fn posts(&self) -> Vec<Post> {
        let posts = self.posts.lock().unwrap().clone();
        posts
            .into_iter()
            .map(|(post, complaint)| {
                assert_eq!(complaint, None, "{post:?}");
                post
            })
            .collect()
    }

    /// Runs the job with this robot and these further arguments. The secret is in the file
    /// `secret`, except for WeCom.
    fn notified(&self, bench: &Bench, arguments: &[&str]) -> Run {
        write_secret(bench, SECRET);
        let url = self.url();
        let mut all = vec!["--notify-url", &url, "--notify-format", self.platform.format()];
        if self.platform != WeCom {
            all.extend(["--notify-secret-file", "secret"]);
        }
        bench.run(&[&all, arguments].concat())
    }
}

fn write_secret(bench: &Bench, secret: &str) {
    bench.write("secret", &format!("{secret}\n"));
    set_mode(&bench.path("secret"), 0o600);
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn hmac_sha256(key: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// What is wrong with a post, as the platform sees it.
fn complaint(platform: Platform, secret: Option<&str>, post: &Post) -> Option<String> {
    let head = post.head.to_ascii_lowercase();
    if !head.starts_with("post ") || !head.contains("\r\ncontent-type: application/json; charset=utf-8\r\n") {
        return Some("invalid method or content type".to_owned());
    }
    match platform {
        DingTalk => complaint_of_dingtalk(secret, post),
        WeCom => complaint_of_wecom(post),
        Feishu => complaint_of_feishu(secret, post),
    }
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

/// What is wrong with a signature, which must be that of `key` over `text` and at most an hour old.
fn wrong_signature(sign: &str, timestamp_ms: Option<u128>, key: &str, text: &str) -> Option<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    if timestamp_ms.is_none_or(|ms| now.abs_diff(ms) > 3_600_000) {
        return Some("invalid timestamp".to_owned());
    }
    (sign != hmac_sha256(key, text)).then(|| "sign not match".to_owned())
}

fn complaint_of_dingtalk(secret: Option<&str>, post: &Post) -> Option<String> {
    let wrong = |what: &str| Some(what.to_owned());
    if post.parameter("access_token").as_deref() != Some(TOKEN)
        || post.parameter("n").as_deref() != Some("a b")
    {
        return wrong("token is not exist");
    }
    let (body, markdown) = (&post.body, &post.body["markdown"]);
    if body["msgtype"] != "markdown" || !is_text(&markdown["title"]) || !is_text(&markdown["text"]) {
        return wrong("invalid message");
    }
    if body["at"] != json!({ "isAtAll": false }) {
        return wrong("mentions somebody");
    }
    if post.bytes > 20_000 {
        return wrong("message too long");
    }
    match (secret, post.parameter("timestamp"), post.parameter("sign")) {
        (None, None, None) => None,
        (Some(secret), Some(ms), Some(sign)) if ms.len() == 13 => {
            wrong_signature(&sign, ms.parse().ok(), secret, &format!("{ms}\n{secret}"))
        }
        _ => wrong("sign not match"),
    }
}

fn complaint_of_wecom(post: &Post) -> Option<String> {
    let wrong = |what: &str| Some(what.to_owned());
    if post.parameter("key").as_deref() != Some(TOKEN) || post.url.query_pairs().count() != 1 {
        return wrong("invalid webhook url");
    }
    match post.body["markdown"]["content"].as_str() {
        _ if post.body["msgtype"] != "markdown" => wrong("invalid message type"),
        Some(content) if !content.is_empty() && content.len() <= 4_096 => None,
        _ => wrong("markdown.content exceed max length"),
    }
}

fn complaint_of_feishu(secret: Option<&str>, post: &Post) -> Option<String> {
    let wrong = |what: &str| Some(what.to_owned());
    let (body, card) = (&post.body, &post.body["card"]);
    let (title, text) = (&card["header"]["title"], &card["elements"][0]["text"]);
    if !post.url.path().ends_with(TOKEN) || body["msg_type"] != "interactive" {
        return wrong("param invalid");
    }
    // Only plain text: nothing in it can be a link or a mention.
    if title["tag"] != "plain_text" || text["tag"] != "plain_text" {
        return wrong("the text is not plain");
    }
    if !is_text(&title["content"]) || !is_text(&text["content"]) || post.bytes > 20 * 1_024 {
        return wrong("invalid length");
    }
    match (secret, body["timestamp"].as_str(), body["sign"].as_str()) {
        (None, None, None) => None,
        (Some(secret), Some(s), Some(sign)) if s.len() == 10 => {
            let ms = s.parse::<u128>().ok().map(|s| s * 1_000);
            wrong_signature(sign, ms, &format!("{s}\n{secret}"), "")
        }
        _ => wrong("sign not match"),
    }
}

/// The secret that a platform's robot demands.
fn demanded(platform: Platform) -> Option<&'static str> {
    (platform != WeCom).then_some(SECRET)
}

#[test]
fn each_platform_accepts_its_message_in_both_languages() {
    for platform in ALL {
        let bench = Bench::new(&ledger(3));
        let robot = Robot::start(platform, demanded(platform), &[(200, platform.success())]);
        for (lang, words) in [
            (
                "en",
                [
                    "reconcile: calls.csv – complete",
                    "Exit code 0: every call",
                    "Open the report",
                    "simulated",
                ],
            ),
            (
                "zh",
                ["reconcile 对账：calls.csv – 完整", "退出码 0：所有通话均有结果", "打开报告", "沙箱模拟"],
            ),
        ] {
            let run = robot.notified(&bench, &["-q", "--sandbox", "--notify-link", LINK, "--lang", lang]);
            assert_eq!(run.exits(0).stderr, "", "{platform:?}");
            let post = robot.posts().pop().unwrap();
            let (text, h) = (post.text(), &bench.summary().0["headline"]);
            let agree = if lang == "en" { "agree" } else { "通一致" };
            for word in words.iter().copied().chain([agree, LINK_POSTED]) {
                assert!(text.contains(word), "no {word} in {text}");
            }
            let calls = if lang == "en" { "3 calls: " } else { "共 3 通通话：" };
            assert!(text.contains(&format!("{calls}{} ", h["agree"])), "{text}");
            if platform != Feishu {
                assert!(text.contains(&format!("]({LINK_POSTED})")), "{text}");
            }
        }
        assert_eq!(robot.posts().len(), 2, "{platform:?}");
    }
}

#[test]
fn a_message_names_what_differs_and_the_seconds_at_stake() {
    let row = |i, seconds| format!("{},11000000300006,2024-05-26,{seconds}\n", id(i));
    let rows =
        format!("call_id,prod_id,called_at,duration_s\n{}{}{},x,,\n", row(0, 9_999), row(1, 8_888), id(2));
    let bench = Bench::new(&rows);
    let robot = Robot::start(DingTalk, Some(SECRET), &[(200, DingTalk.success())]);
    robot.notified(&bench, &["-q", "--exit-code"]).exits(1);
    let (text, summary) = (robot.posts().pop().unwrap().text(), bench.summary());
    let lines = [
        "### reconcile: calls.csv – complete".to_owned(),
        "2 calls: 0 agree, 2 differ; 1 ledger row is unusable".to_owned(),
        format!("Talk seconds at stake: {}", summary.number("at_stake_total_s")),
        "Most frequent discrepancies: values differ (2), unusable row (1)".to_owned(),
        "Since the last run: 3 new, 0 resolved".to_owned(),
        "Exit code 1: every call has its answer and all files are written; there are discrepancies"
            .to_owned(),
    ];
    assert!(summary.number("at_stake_total_s") > 15_000);
    assert_eq!(text, lines.join("\n\n"));
}

#[test]
fn a_robot_without_signature_or_link_gets_neither() {
    for platform in ALL {
        let bench = Bench::new(&ledger(1));
        let robot = Robot::start(platform, None, &[(200, platform.success())]);
        let url = robot.url();
        let format = platform.format();
        let run = bench.run(&["-q", "--sandbox", "--notify-url", &url, "--notify-format", format]);
        assert_eq!(run.exits(0).stderr, "", "{platform:?}");
        let [post] = robot.posts().try_into().unwrap();
        assert!(!post.body.to_string().contains("http"), "{post:?}");
    }
}

#[test]
fn a_refusal_with_http_200_is_reported_and_not_repeated() {
    for platform in ALL {
        let (reply, quoted, advice) = platform.refusal();
        let bench = Bench::new(&ledger(1));
        let robot = Robot::start(platform, demanded(platform), &[(200, reply)]);
        let run = robot.notified(&bench, &["-q", "--sandbox"]).exits(0);
        let run =
            run.says(quoted).says("no notification was sent; the exit code stays 0").says("cannot post");
        let to_do = run.stderr.split("to do: ").nth(1).unwrap();
        assert!(to_do.contains(advice), "{}", run.stderr);
        assert_eq!(robot.posts().len(), 1, "{platform:?}");
        assert!(bench.path("details.parquet").exists());
    }
}

#[test]
fn a_wrong_secret_is_told_by_the_platform() {
    for platform in [DingTalk, Feishu] {
        let bench = Bench::new(&ledger(1));
        let robot = Robot::start(platform, Some("another secret"), &[(200, platform.success())]);
        let code =
            if platform == Feishu { "code 19021: sign not match" } else { "errcode 310000: sign not match" };
        robot.notified(&bench, &["-q", "--sandbox"]).exits(0).says(code).says("clock");
    }
}

#[test]
fn a_reached_limit_is_tried_once_more() {
    for platform in ALL {
        let bench = Bench::new(&ledger(1));
        let replies = [(200, platform.too_many()), (200, platform.success())];
        let robot = Robot::start(platform, demanded(platform), &replies);
        assert_eq!(robot.notified(&bench, &["-q", "--sandbox"]).exits(0).stderr, "", "{platform:?}");
        assert_eq!(robot.posts().len(), 2, "{platform:?}");
    }
    let bench = Bench::new(&ledger(1));
    let robot = Robot::start(Feishu, Some(SECRET), &[(200, Feishu.too_many())]);
    let run = robot.notified(&bench, &["-q", "--sandbox"]).exits(0);
    run.says("code 11232: frequency limited").says("full and half hours");
    assert_eq!(robot.posts().len(), 2);
}

#[test]
fn a_reply_without_the_platforms_code_is_no_success() {
    for platform in ALL {
        let other = if platform == Feishu { r#"{"errcode":0}"# } else { r#"{"code":0}"# };
        for (status, reply, times, words) in [
            (200, "", 1, "HTTP 200, but the reply is empty"),
            (200, "<html>login</html>", 1, "HTTP 200, but the reply is not JSON"),
            (200, other, 1, "HTTP 200, but the reply has no code"),
            (500, "<html>", 2, "HTTP 500"),
            (500, platform.success(), 2, "HTTP 500"),
            (404, "", 1, "HTTP 404"),
        ] {
            let bench = Bench::new(&ledger(1));
            let robot = Robot::start(platform, demanded(platform), &[(status, reply)]);
            let run = robot.notified(&bench, &["-q", "--sandbox"]).exits(0).says(words);
            run.says("no notification was sent; the exit code stays 0").says("check the notification URL");
            assert_eq!(robot.posts().len(), times, "{platform:?} {status} {reply}");
        }
    }
}

#[test]
fn older_replies_of_feishu_are_understood() {
    let bench = Bench::new(&ledger(1));
    let robot = Robot::start(Feishu, Some(SECRET), &[(200, r#"{"StatusCode":0,"StatusMessage":"success"}"#)]);
    assert_eq!(robot.notified(&bench, &["-q", "--sandbox"]).exits(0).stderr, "");
}

#[test]
fn a_card_has_the_colour_of_the_exit() {
    let bench = Bench::new(&ledger(2));
    let robot = Robot::start(Feishu, Some(SECRET), &[(200, Feishu.success())]);
    let colour = || robot.posts().pop().unwrap().body["card"]["header"]["template"].clone();
    robot.notified(&bench, &["-q", "--sandbox"]).exits(0);
    assert_eq!(colour(), "green");
    let run = robot.notified(&bench, &["-q", "--sandbox", "--refresh", "--max-duration", "1ns"]).exits(4);
    assert_eq!(colour(), "orange", "{}", run.stderr);
    let text = robot.posts().pop().unwrap().text();
    assert!(text.contains("– incomplete") && text.contains("Exit code 4"), "{text}");
    robot.notified(&bench, &["-q", "--sandbox", "--input", "nowhere.csv"]).exits(2);
    assert_eq!(colour(), "red");
}

/// A text of 20,000 characters with numbers, controls, links and mentions.
fn hostile() -> String {
    let once = "13812345678 [x](http://evil.example) <@all> @所有人 **b** <at id=all></at>\u{1b}[2K\n# ";
    once.chars().cycle().take(20_000).collect()
}

#[track_caller]
fn assert_harmless(post: &Post) {
    let body = post.body.to_string();
    for text in ["13812345678", "](http://evil", "://evil", "<@", "<at ", "**", "\\u001b", "@"] {
        assert!(!body.contains(text), "`{text}` is in {body}");
    }
}

#[test]
fn an_error_is_told_masked_and_within_the_limits() {
    for platform in ALL {
        let bench = Bench::new(&ledger(2));
        let robot = Robot::start(platform, demanded(platform), &[(200, platform.success())]);
        bench.provider.by_default(Reply::code(404, "InvalidAccessKeyId.NotFound", &hostile()));
        robot.notified(&bench, &["-q", "--notify-link", LINK, "--lang", "zh"]).exits(3);
        let post = robot.posts().pop().unwrap();
        assert_harmless(&post);
        let text = post.text();
        for words in [
            "– 失败",
            "错误：the provider refuses every request",
            "退出码 3：",
            "打开上次的报告",
            LINK_POSTED,
        ] {
            assert!(text.contains(words), "no {words} in {text}");
        }
        assert!(text.contains("138＊＊＊＊5678"), "{text}");
        robot.notified(&bench, &["-q", "--notify-link", LINK, "--input", &"长".repeat(20_000)]).exits(2);
        let text = robot.posts().pop().unwrap().text();
        assert!(text.contains("长…") && text.contains("Exit code 2") && text.contains(LINK_POSTED), "{text}");
    }
}

#[test]
fn a_cause_and_the_name_of_a_ledger_are_harmless() {
    let name = "[x](y) <@all> **13812345678** _b_.csv";
    for platform in ALL {
        let bench = Bench::new("");
        bench.write(name, &ledger(2));
        let robot = Robot::start(platform, demanded(platform), &[(200, platform.success())]);
        bench.provider.by_default(Reply::code(400, "isv.UNKNOWN_CODE_OF_TODAY", &hostile()));
        robot.notified(&bench, &["-q", "--input", name]).exits(0);
        let post = robot.posts().pop().unwrap();
        assert_harmless(&post);
        let text = post.text();
        assert!(text.contains("［x］(y) ＜＠all＞ ＊＊138＊＊＊＊5678＊＊ ＿b＿.csv"), "{text}");
        assert!(text.contains("isv.UNKNOWN_CODE_OF_TODAY") && text.contains("2 failed"), "{text}");
    }
}

#[test]
fn nothing_shows_the_secret_or_the_token() {
    for platform in ALL {
        let bench = Bench::new(&ledger(2));
        // A platform that repeats what it was sent.
        let message = format!("no robot {TOKEN} with {} 13812345678", demanded(platform).unwrap_or("-"));
        let reply = match platform {
            Feishu => json!({"code": 19001, "msg": message}),
            DingTalk | WeCom => json!({"errcode": 93000, "errmsg": message}),
        };
        let robot = Robot::start(platform, demanded(platform), &[(200, &reply.to_string())]);
        let arguments = ["-v", "--log-format", "json", "--sandbox", "--metrics-file", "r.prom"];
        let run = robot.notified(&bench, &arguments).says("no robot … with");
        let [post] = robot.posts().try_into().unwrap();
        let sign = post.parameter("sign").or_else(|| post.body["sign"].as_str().map(str::to_owned));
        std::fs::remove_file(bench.path("secret")).unwrap();
        let mut shown = format!("{}{}", run.stdout, run.stderr).into_bytes();
        let files: Vec<_> =
            std::fs::read_dir(bench.path(".")).unwrap().map(|file| file.unwrap().path()).collect();
        assert!(files.len() > 5, "{files:?}");
        for file in files.iter().filter(|file| file.is_file()) {
            shown.extend(std::fs::read(file).unwrap());
        }
        let shown = String::from_utf8_lossy(&shown).into_owned();
        for secret in [TOKEN, SECRET, "SECd4c3b2a1", "13812345678"].into_iter().chain(sign.as_deref()) {
            assert!(!shown.contains(secret), "{platform:?}: `{secret}` is shown in {}", run.stderr);
        }
    }
}

#[test]
fn a_secret_file_that_cannot_be_used_is_refused() {
    let bench = Bench::new(&ledger(1));
    let robot = Robot::start(DingTalk, Some(SECRET), &[(200, DingTalk.success())]);
    bench.write("empty", "");
    bench.write("blank", "  \nSECRET\n");
    std::fs::write(bench.path("binary"), b"\xff\xfeS\0").unwrap();
    let url = robot.url();
    for (path, words) in [
        ("nowhere", "cannot be read"),
        ("home", "cannot be read"),
        ("empty", "has an empty first line"),
        ("blank", "has an empty first line"),
        ("binary", "is not UTF-8 text"),
    ] {
        let options = ["--notify-url", &url, "--notify-format", "dingtalk", "--notify-secret-file", path];
        let run = bench.run(&[&options[..], &["-q", "--sandbox"]].concat()).exits(2);
        run.says(&format!("--notify-secret-file {path} {words}")).says("to do: write the secret");
    }
    for (options, words) in [
        (
            &["--notify-format", "wecom", "--notify-secret-file", "empty"][..],
            "--notify-secret-file is only for",
        ),
        (&["--notify-secret-file", "empty"], "--notify-secret-file is only for"),
        (&["--notify-link", LINK], "--notify-link is only for"),
        (&["--notify-format", "wecom", "--notify-link", "ftp://x/t0ken"], "the link of the notification"),
        (&["--notify-format", "slack"], "--notify-format needs one of json, dingtalk, wecom, feishu"),
    ] {
        let run = bench.run(&[&["--notify-url", &url], options, &["-q", "--sandbox"]].concat()).exits(2);
        let run = run.says(words).says("to do: ");
        assert!(!run.stderr.contains("t0ken"), "{}", run.stderr);
    }
    bench
        .run(&["-q", "--sandbox", "--notify-format", "wecom"])
        .exits(2)
        .says("--notify-format needs --notify-url");
    assert_eq!(robot.posts().len(), 0);
}

#[test]
fn a_readable_or_overwritten_secret_is_named() {
    let bench = Bench::new(&ledger(1));
    let robot = Robot::start(DingTalk, Some(SECRET), &[(200, DingTalk.success())]);
    write_secret(&bench, SECRET);
    set_mode(&bench.path("secret"), 0o644);
    let url = robot.url();
    let options =
        ["--sandbox", "--notify-url", &url, "--notify-format", "dingtalk", "--notify-secret-file", "secret"];
    let run = bench.run(&options).exits(0);
    run.says("others can read the notification secret secret; `chmod 600 secret` keeps it secret");
    let run = bench.run(&[&options[..], &["--discrepancies", "./secret"]].concat()).exits(2);
    run.says("is the same file as the secret of the notification");
    assert!(std::fs::read_to_string(bench.path("secret")).unwrap().starts_with(SECRET));
}

#[test]
fn options_of_the_chat_come_from_the_file_too() {
    let bench = Bench::new(&ledger(1));
    let robot = Robot::start(Feishu, Some(SECRET), &[(200, Feishu.success())]);
    write_secret(&bench, SECRET);
    bench.write(
        "r.toml",
        &format!(
            "notify-url = \"{}\"\nnotify-format = \"feishu\"\nnotify-secret-file = \"secret\"\n\
             notify-link = \"{LINK}\"\nlang = \"zh\"\n",
            robot.url()
        ),
    );
    let run = bench.run(&["-q", "--sandbox", "--config", "r.toml"]).exits(0);
    assert_eq!(run.stderr, "");
    let post = robot.posts().pop().unwrap();
    assert!(post.text().contains("对账") && post.text().contains(LINK_POSTED), "{post:?}");
}

#[test]
fn the_examples_of_the_documentation_are_valid() {
    let page = std::fs::read_to_string(root().join("docs/operating.md")).unwrap();
    let section = page.split("## Messages to a chat\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let blocks = section.split("```toml\n").skip(1).map(|block| block.split("```").next().unwrap());
    let mut formats = Vec::new();
    for block in blocks {
        let bench = Bench::new(&ledger(1));
        let block = block.replace("/etc/reconcile/robot.secret", "secret");
        write_secret(&bench, SECRET);
        bench.write("r.toml", &block);
        let plan = bench.command_output(&["plan", "--offline", "--config", "r.toml"]);
        assert!(plan.contains("\ncalls           1\n"), "{plan}");
        let config = bench.bare(&["config", "--config", "r.toml"]);
        let format = config.lines().find(|line| line.starts_with("notify-format = ")).unwrap();
        formats.push(format.split('"').nth(1).unwrap().to_owned());
        assert!(!config.contains("access_token") && !config.contains("key=KEY"), "{config}");
    }
    assert_eq!(formats, ALL.map(Platform::format));
}
