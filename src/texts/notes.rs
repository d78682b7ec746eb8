//! The notes of a run.

use super::{causes, money, receipts, rows, words};
use crate::fetch::{AnswerNote, OutageNote, SUSPICIOUS_IN_A_ROW};
use crate::ledger::{AffectedRows, ColumnNote, Finding, LedgerForm, LedgerNote, REASONS_SHOWN, Reason};
use crate::note::Note;
use crate::output::lang::Lang;
use crate::provider::codes::Suspicion;
use crate::provider::credentials::{ReadableFile, SecretFile};
use crate::resolutions::{LeftOver, ResolutionNote};
use crate::store::{StoreNote, UnknownFileSystem};
use crate::words::count;
use reconcile_core::since::MAX_REMEMBERED;

/// A note. File names and headers in it may hold a phone number.
#[must_use]
pub fn note(lang: Lang, note: &Note) -> String {
    match lang {
        Lang::En => note.to_string(),
        Lang::Zh => zh(note),
    }
}

fn zh(note: &Note) -> String {
    match note {
        Note::Ledger(note) => ledger(note),
        Note::Column(note) => column(note),
        Note::DayFromCallId { rows } => format!("{} 行没有日期；日期取自呼叫 ID", count(*rows)),
        Note::NoProduct { rows } => {
            format!("{} 行因没有产品而无法使用；可为此类行统一设置产品", count(*rows))
        }
        Note::NoDay { rows } => {
            format!("{} 行因没有日期而无法使用；可为此类行统一设置日期", count(*rows))
        }
        Note::UnusableRows { rows, rejects, reasons } => {
            let (rows, reasons) = (count(*rows), most_frequent(reasons));
            let where_to = match rejects {
                Some(file) => format!("“{file}”列出这些行以供更正"),
                None => "见差异清单（电话号码已脱敏，故不生成待更正行文件）".to_owned(),
            };
            format!("{rows} 行无法使用；{where_to}；最常见的原因：{reasons}")
        }
        Note::ForeignRejects { file } => {
            format!("“{file}”不是待更正行的清单，可能是其他文件，故保持原样")
        }
        Note::ReadableFile(file) => readable_file(file),
        Note::Store(StoreNote::FileSystem(UnknownFileSystem { kind })) => format!(
            "存储库所在文件系统的类型为 {kind}；如果其他机器也能访问，请将存储库移至本机磁盘，因为锁只在本机有效"
        ),
        Note::Store(StoreNote::NoSynchronousStandby) => {
            "存储库所在的数据库有备库，但都不是同步备库；故障切换可能丢失最新的请求记录，从而突破速率上限：请在服务器上启用同步复制"
                .to_owned()
        }
        Note::Store(StoreNote::Upgraded { copy }) => format!(
            "存储库已升级到本版本；“{}”是升级前的副本；如需退回旧版本，请保留该副本，否则可将其删除",
            copy.display()
        ),
        Note::Answers(note) => answers(note),
        Note::Resolutions(note) => resolutions(note),
        Note::NotRemembered { discrepancies } => format!(
            "存储库最多记录 {} 条未结差异；另有 {} 条未记录，下次运行仍计为新增",
            count(MAX_REMEMBERED as u64),
            count(*discrepancies)
        ),
        Note::Money(note) => money::note(note),
        Note::Receipts(note) => receipts::note(note),
        Note::Beside { reason } => {
            format!("未能核查全部此前的通话：{}；本台账的通话均已查询", causes::stopped(reason))
        },
        Note::Outage(OutageNote { count: 1, total, cause }) => {
            let cause = causes::cause(Lang::Zh, cause);
            format!("有 {} 无法连接服务商：{cause}", causes::span(*total))
        }
        Note::Outage(OutageNote { count, total, cause }) => {
            let (total, cause) = (causes::span(*total), causes::cause(Lang::Zh, cause));
            format!("有 {count} 次无法连接服务商，共 {total}；最后一次的原因：{cause}")
        }
    }
}

fn resolutions(note: &ResolutionNote) -> String {
    let entries = format!("“{}”中有 {} 条处理结果", note.file, count(note.lines.len() as u64));
    let lines = note.line_list("、", |no| format!("第 {no} 行"), |others| format!("，另有 {others} 行"));
    match note.why {
        LeftOver::Stale => format!("{entries}已失效：对应差异的数值已变化（{lines}），请重新处理"),
        LeftOver::Unused => format!("{entries}在本台账中没有对应的差异（{lines}）"),
        LeftOver::Expired => format!("{entries}已过有效期（{lines}），请延长有效期或删除该行"),
    }
}

fn ledger(note: &LedgerNote) -> String {
    match note {
        LedgerNote::OfFile { file, note } => format!("“{file}”：{}", ledger(note)),
        LedgerNote::Form(LedgerForm::Parquet) => {
            "台账按 Parquet 文件读取，其第一行数据计为第 2 行".to_owned()
        }
        LedgerNote::Form(LedgerForm::Workbook { sheet, other_sheets }) => {
            let others = if other_sheets.is_empty() {
                String::new()
            } else {
                format!("；其他工作表未读取：{}", other_sheets.join("、"))
            };
            format!("台账读取的是 Excel 工作簿的工作表“{sheet}”{others}")
        }
        LedgerNote::Form(LedgerForm::Text { encoding, delimiter, packing }) => {
            let encoding =
                encoding.replace(" (little-endian)", "（小端序）").replace(" (big-endian)", "（大端序）");
            let delimiter = match delimiter {
                b'\t' => "制表符".to_owned(),
                other => format!("“{}”", char::from(*other)),
            };
            let packing = packing.map(|packing| format!("，由 {packing} 解压")).unwrap_or_default();
            format!("台账的编码：{encoding}；分隔符：{delimiter}{packing}")
        }
        LedgerNote::RenamedColumn { column, name } => {
            format!("台账的第 {column} 列在输出文件中名为“{name}”")
        }
        LedgerNote::Rows(rows, finding) => format!("{}：{}", affected(*rows), of_rows(*finding)),
        LedgerNote::LostZeros { field, rows, of } => {
            let (rows, of) = (affected(*rows), count(*of));
            let field = words::field(Lang::Zh, field).unwrap_or(field);
            format!(
                "{field}：共 {of} 行有值，{rows}可能缺少开头的 0；其值形似缺 0 的固定电话，且该列没有以 0 开头的值，可能被电子表格删去；未作更改，请将该列按文本导出"
            )
        }
        LedgerNote::AheadOfNow { rows, at_most_s } => {
            let (rows, minutes) = (affected(*rows), at_most_s / 60);
            let by = if minutes < 120 {
                format!("{minutes} 分钟")
            } else if minutes < 2 * 1_440 {
                format!("{} 小时", minutes / 60)
            } else {
                format!("{} 天", minutes / 1_440)
            };
            format!("{rows}：呼叫时间晚于本机时钟，最多晚 {by}；多半是时区有误：未写时区的时间按北京时间读取")
        }
        LedgerNote::HalfRow { ledger } => {
            format!("开始时“{ledger}”的最后一行尚未写完；下次运行再读取")
        }
        LedgerNote::Removed { ledger } => {
            format!("“{ledger}”在开始后被删除；本次使用的是开始时的内容")
        }
        LedgerNote::Replaced { ledger } => {
            format!("“{ledger}”在开始后被替换；下次运行将读取新文件")
        }
        LedgerNote::Appended { ledger, bytes } => {
            format!("“{ledger}”在开始后追加了 {} 字节；下次运行再读取", count(*bytes))
        }
    }
}

fn of_rows(finding: Finding) -> &'static str {
    match finding {
        Finding::BackslashEscapes => "引号内有反斜杠转义（MySQL 的写法），已按 MySQL 的规则读取",
        Finding::OnlySeparators => "只有分隔符或空格，按空行略过",
        Finding::RepeatedHeader => "重复的表头，已略过",
        Finding::LostDigits => {
            "呼叫 ID 全为数字，且第 15 位之后都是 0，台账中此类呼叫 ID 均如此；末尾的数字已被电子表格丢弃，服务商将查不到这些通话；请从原系统将该列按文本导出"
        }
        Finding::OtherDay => {
            "呼叫 ID 中的时间与该行不在同一天；按该行的日期查询；如果该日期是导出日期，请改为通话日期"
        }
        Finding::SerialDay => "时间为电子表格的序列值，例如 45962.5；按北京时间读取，精度以所写为准",
        Finding::Null => "值为 NULL、\\N、NaN 一类的词，按空值读取",
        Finding::SplitCallId => "呼叫 ID 在 ^ 处被拆成两列；请予合并，否则服务商查不到这些通话",
        Finding::LostCaret => "呼叫 ID 全为数字，可能在导出时丢失了 ^；按原样查询",
        Finding::HiddenRow => "在工作表中被筛选或隐藏，与其他行一样读取",
        Finding::NoStoredResult => {
            "公式没有存储结果，其单元格按无法使用或空值读取；请用电子表格软件打开工作簿并保存"
        }
    }
}

fn column(note: &ColumnNote) -> String {
    let name =
        |field: &str| words::field(Lang::Zh, field).map_or_else(|| format!("“{field}”"), str::to_owned);
    match note {
        ColumnNote::OfFile { file, note } => format!("“{file}”：{}", column(note)),
        ColumnNote::Second { field, header, read } => {
            format!("列“{header}”仅原样带出，未读取：{}取自列“{read}”；如应读取此列，请指定", name(field))
        }
        ColumnNote::Undecided { field, headers } => {
            let (headers, field) = (headers.join("”“"), name(field));
            format!("列“{headers}”都像是{field}，故均未读取；请指定其中一列")
        }
        ColumnNote::OtherUnit { header, field } => format!(
            "列“{header}”仅原样带出，未读取：其表头的单位或时区与{}不同；请换算其值，或在表头有误时指定此列",
            name(field)
        ),
        ColumnNote::Similar { header, fields } => {
            let fields: Vec<String> = fields.iter().map(|field| name(field)).collect();
            format!("列“{header}”仅原样带出，未读取；如果它是{}，请指定", fields.join("或"))
        }
    }
}

fn readable_file(ReadableFile { secret, path }: &ReadableFile) -> String {
    let what = match secret {
        SecretFile::Credentials => "访问凭证文件",
        SecretFile::MaskKey => "脱敏密钥文件",
        SecretFile::NotifySecret => "通知密钥文件",
    };
    format!("{what}“{path}”可被其他用户读取；请将其权限设为仅本人可读")
}

fn answers(note: &AnswerNote) -> String {
    match note {
        AnswerNote::Suspicion { code, advice } => {
            let advice = match advice {
                Suspicion::NoPermission => {
                    "可能缺少权限或产品；请确认密钥所属用户可调用 dyvms:QueryCallDetailByCallId，账号已开通语音服务，且产品是拨打这些通话的产品"
                }
                Suspicion::WrongDays => {
                    "日期可能不是通话当天；请检查台账的呼叫时间与查询日期，以及为无日期的行设置的日期；服务商也可能只保留较短时间的记录"
                }
            };
            format!("连续 {SUSPICIOUS_IN_A_ROW} 次返回 {code}，且未查得任何记录：{advice}")
        }
        AnswerNote::WrongClock { minutes, is_ahead } => {
            let side = if *is_ahead { "快" } else { "慢" };
            format!(
                "本机时钟比服务商{side} {minutes} 分钟；通话距今多久以服务商的时钟为准；请校准本机时钟（NTP）"
            )
        }
    }
}

/// `3 行（首行：第 2 行）`
fn affected(rows: AffectedRows) -> String {
    match rows.count {
        1 => format!("1 行（第 {} 行）", rows.first_line),
        n => format!("{} 行（首见于第 {} 行）", count(n), rows.first_line),
    }
}

/// The most frequent reasons: `产品：不是产品（10 行，首见于第 3 行）`.
fn most_frequent(reasons: &[Reason]) -> String {
    let text = |reason: &Reason| {
        let field =
            words::field(Lang::Zh, reason.field).map(|field| format!("{field}：")).unwrap_or_default();
        let rows = affected(reason.affected_rows()).replace('（', "，").replace('）', "");
        let file = reason.file.as_ref().map(|file| format!("，“{file}”")).unwrap_or_default();
        format!("{field}{}（{rows}{file}）", rows::short_reason(Lang::Zh, &reason.problem))
    };
    let mut texts: Vec<String> = reasons.iter().take(REASONS_SHOWN).map(text).collect();
    if reasons.len() > REASONS_SHOWN {
        texts.push(format!("另有 {} 种原因", reasons.len() - REASONS_SHOWN));
    }
    texts.join("；")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::failures::Cause;
    use crate::ledger::Packing;
    use crate::stop::{self, TimeLimit};
    use crate::texts::checks::assert_translated;
    use reconcile_core::row_problem::{CallIdProblem, RowProblem};

    const ALLOWED: [&str; 21] = [
        "Excel",
        "Sheet",
        "ID",
        "calls.csv",
        "d.rejects.csv",
        "mask.key",
        "Parquet",
        "UTF",
        "GB18030",
        "gzip",
        "MySQL",
        "NULL",
        "\\N",
        "NaN",
        "NTP",
        "MiB",
        "fuse.x",
        "isv.X",
        "calee",
        "ledger_x_2",
        "x_y",
    ];

    fn reason(problem: RowProblem, field: &'static str, rows: u64) -> Reason {
        Reason { field, problem, rows, first_line: 3, file: None }
    }

    /// Every note on a ledger.
    fn of_ledger() -> Vec<LedgerNote> {
        let rows = |count| AffectedRows { count, first_line: 2 };
        let text = |encoding, delimiter, packing| LedgerForm::Text { encoding, delimiter, packing };
        let ledger = || "calls.csv".to_owned();
        let findings = [
            Finding::BackslashEscapes,
            Finding::OnlySeparators,
            Finding::RepeatedHeader,
            Finding::LostDigits,
            Finding::OtherDay,
            Finding::SerialDay,
            Finding::Null,
            Finding::SplitCallId,
            Finding::LostCaret,
            Finding::HiddenRow,
            Finding::NoStoredResult,
        ];
        let mut notes = vec![
            LedgerNote::Form(LedgerForm::Parquet),
            LedgerNote::Form(LedgerForm::Workbook {
                sheet: "Sheet1".into(),
                other_sheets: vec!["Sheet2".into()],
            }),
            LedgerNote::Form(text("GB18030", b';', None)),
            LedgerNote::Form(text("UTF-16 (little-endian)", b'\t', Some(Packing::Gzip))),
            LedgerNote::RenamedColumn { column: 3, name: "ledger_x_2".into() },
            LedgerNote::LostZeros { field: "callee", rows: rows(1), of: 9 },
            LedgerNote::HalfRow { ledger: ledger() },
            LedgerNote::Removed { ledger: ledger() },
            LedgerNote::Replaced { ledger: ledger() },
            LedgerNote::Appended { ledger: ledger(), bytes: 1 },
        ];
        let seconds = [600, 9_000, 300_000];
        notes.extend(seconds.map(|at_most_s| LedgerNote::AheadOfNow { rows: rows(2), at_most_s }));
        notes.extend(findings.map(|finding| LedgerNote::Rows(rows(7), finding)));
        notes
    }

    /// Every other note.
    fn others() -> Vec<Note> {
        let header = || "calee".to_owned();
        let columns = [
            ColumnNote::Second { field: "callee", header: header(), read: "x_y".into() },
            ColumnNote::Undecided { field: "callee", headers: vec!["callee_1".into(), "callee_2".into()] },
            ColumnNote::OtherUnit { header: header(), field: "duration_s" },
            ColumnNote::Similar { header: header(), fields: vec!["caller", "callee"] },
        ];
        let reasons = vec![
            reason(RowProblem::UnknownProduct, "prod_id", 3),
            reason(RowProblem::TooLong, "", 1),
            reason(RowProblem::NoDay, "called_at", 1),
            reason(RowProblem::NotSeconds, "duration_s", 1),
        ];
        let cause = || Cause::new("connect", "connection refused");
        let total = Duration::from_secs(605);
        let readable = |secret| ReadableFile { secret, path: "mask.key".into() };
        let suspicion = |advice| AnswerNote::Suspicion { code: "isv.X".into(), advice };
        let mut notes = vec![
            Note::DayFromCallId { rows: 1 },
            Note::NoProduct { rows: 2 },
            Note::NoDay { rows: 1 },
            Note::UnusableRows { rows: 6, rejects: None, reasons: reasons.clone() },
            Note::UnusableRows { rows: 6, rejects: Some("d.rejects.csv".into()), reasons },
            Note::ForeignRejects { file: "d.rejects.csv".into() },
            Note::ReadableFile(readable(SecretFile::Credentials)),
            Note::ReadableFile(readable(SecretFile::MaskKey)),
            Note::ReadableFile(readable(SecretFile::NotifySecret)),
            Note::Store(StoreNote::FileSystem(UnknownFileSystem { kind: "fuse.x".into() })),
            Note::Store(StoreNote::NoSynchronousStandby),
            Note::Store(StoreNote::Upgraded { copy: "r.db.v1.bak".into() }),
            Note::Answers(suspicion(Suspicion::NoPermission)),
            Note::Answers(suspicion(Suspicion::WrongDays)),
            Note::Answers(AnswerNote::WrongClock { minutes: 75, is_ahead: true }),
            Note::Answers(AnswerNote::WrongClock { minutes: 2, is_ahead: false }),
            Note::Outage(OutageNote { count: 1, total, cause: cause() }),
            Note::Outage(OutageNote { count: 2, total, cause: cause() }),
            Note::NotRemembered { discrepancies: 1 },
            Note::NotRemembered { discrepancies: 2 },
            Note::Beside { reason: stop::Reason::Time(TimeLimit::MaxDuration(total)) },
            Note::Beside {
                reason: stop::Reason::Fatal { code: "isv.X".into(), message: String::new(), advice: "" },
            },
        ];
        notes.extend(columns.map(Note::Column));
        for (why, lines) in
            [(LeftOver::Stale, 2..4), (LeftOver::Unused, 1_000..1_020), (LeftOver::Expired, 2..3)]
        {
            let (file, lines) = ("r.csv".to_owned(), lines.collect());
            notes.push(Note::Resolutions(ResolutionNote { file, why, lines }));
        }
        notes
    }

    #[test]
    fn every_note_has_both_languages() {
        let mut seen = std::collections::BTreeSet::new();
        for it in of_ledger().into_iter().map(Note::Ledger).chain(others()) {
            let (en, zh) = (note(Lang::En, &it), note(Lang::Zh, &it));
            let foreign = ["dyvms:QueryCallDetailByCallId", "callee_1", "callee_2", "r.csv", "r.db.v1.bak"];
            assert_translated(&en, &zh, &[&ALLOWED[..], &foreign].concat());
            assert!(!zh.contains("--"), "an option is named: {zh}");
            assert_eq!(crate::shown::shown(&zh), zh, "a number of the text itself is masked");
            assert!(seen.insert(zh.clone()), "said twice: {zh}");
        }
    }

    #[test]
    fn a_number_in_a_name_is_masked_in_both_languages() {
        let name = || "13812345678.csv".to_owned();
        let header = || "ledger_13812345678".to_owned();
        let column = RowProblem::InvalidBytes { column: header(), encoding: "UTF-8" };
        for it in [
            Note::Ledger(LedgerNote::Replaced { ledger: name() }),
            Note::Ledger(LedgerNote::RenamedColumn { column: 2, name: header() }),
            Note::Column(ColumnNote::OtherUnit { header: header(), field: "callee" }),
            Note::ForeignRejects { file: name() },
            Note::UnusableRows { rows: 1, rejects: Some(name()), reasons: vec![reason(column, "", 1)] },
            Note::ReadableFile(ReadableFile { secret: SecretFile::MaskKey, path: name() }),
        ] {
            for lang in [Lang::En, Lang::Zh] {
                let shown = crate::shown::shown(&note(lang, &it));
                assert!(shown.contains("138****5678") && !shown.contains("12345678"), "{shown}");
            }
        }
    }

    #[test]
    fn the_most_frequent_reasons_are_named_with_their_rows() {
        let reasons = [
            reason(RowProblem::NotYesOrNo, "answered", 1),
            reason(RowProblem::CallId(CallIdProblem::Missing), "", 10),
        ];
        assert_eq!(
            most_frequent(&reasons),
            "是否接通：既不是“是”也不是“否”（1 行，第 3 行）；该行没有呼叫 ID（10 行，首见于第 3 行）"
        );
    }
}
