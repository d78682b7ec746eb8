//! The notes on tariffs and bill, in Chinese.

use crate::money::MoneyNote;
use crate::words::count;

pub(super) fn note(note: &MoneyNote) -> String {
    match note {
        MoneyNote::NoTariff { calls } => {
            format!("{} 通通话在当日没有资费，其金额为空", count(*calls))
        }
        MoneyNote::NoProduct { calls } => {
            format!("{} 个台账无记录的通话产品未知，其金额无法得知；请为本次运行指定产品", count(*calls))
        }
        MoneyNote::Unmapped { items, more } => {
            let named = items.iter().map(|item| format!("{}（{}）", item.item, item.amount));
            let named = named.collect::<Vec<_>>().join("、");
            let more = if *more > 0 { format!("等，另有 {more} 项") } else { String::new() };
            format!("账单中的计费项不属于任何产品：{named}{more}；请在配置的 [bill] 表中指定产品")
        }
        MoneyNote::Packages { rows } => {
            format!("账单中有 {} 行的一部分由资源包抵扣，该部分不计入任何金额", count(*rows))
        }
        MoneyNote::EmptyBill => "账单没有任何行，未做比对".to_owned(),
        MoneyNote::OtherCurrency { days } => {
            format!("账单有 {} 天的币种与资费不同，其金额未做比对", count(*days))
        }
        MoneyNote::TooManyDays { calls } => {
            format!("{} 通通话的日期超出与账单比对的天数范围", count(*calls))
        }
    }
}
