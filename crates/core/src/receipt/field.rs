//! The fields of a receipt.

/// A field that is read. The order is that of [`FIELDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "`name` says which they are")]
pub enum ReceiptField {
    CallId,
    OriginateTime,
    StatusCode,
    Duration,
    Caller,
    Callee,
    RingTime,
    StartTime,
    EndTime,
    StatusMsg,
    HangupDirection,
    BStartTime,
    BEndTime,
    CallerShowNum,
    CalleeShowNum,
    ARingTime,
    AEndTime,
}

use ReceiptField::{
    AEndTime, ARingTime, BEndTime, BStartTime, CallId, Callee, CalleeShowNum, Caller, CallerShowNum,
    Duration, EndTime, HangupDirection, OriginateTime, RingTime, StartTime, StatusCode, StatusMsg,
};

/// The fields that are read.
pub const FIELDS: [ReceiptField; 17] = [
    CallId,
    OriginateTime,
    StatusCode,
    Duration,
    Caller,
    Callee,
    RingTime,
    StartTime,
    EndTime,
    StatusMsg,
    HangupDirection,
    BStartTime,
    BEndTime,
    CallerShowNum,
    CalleeShowNum,
    ARingTime,
    AEndTime,
];

impl ReceiptField {
    /// The name. [`normalize`](crate::normalize::normalize) knows each name but `originate_time`,
    /// which no record has.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            CallId => "call_id",
            OriginateTime => "originate_time",
            StatusCode => "status_code",
            Duration => "duration",
            Caller => "caller",
            Callee => "callee",
            RingTime => "b_ring_time",
            StartTime => "start_time",
            EndTime => "end_time",
            StatusMsg => "status_msg",
            HangupDirection => "hangup_direction",
            BStartTime => "b_start_time",
            BEndTime => "b_end_time",
            CallerShowNum => "caller_show_num",
            CalleeShowNum => "callee_show_num",
            ARingTime => "a_ring_time",
            AEndTime => "a_end_time",
        }
    }

    /// True for a phone number.
    #[must_use]
    pub fn is_number(self) -> bool {
        matches!(self, Caller | Callee | CallerShowNum | CalleeShowNum)
    }

    /// True for a time.
    #[must_use]
    pub fn is_time(self) -> bool {
        matches!(
            self,
            OriginateTime | RingTime | StartTime | EndTime | BStartTime | BEndTime | ARingTime | AEndTime
        )
    }
}

/// What a name in a receipt means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputName {
    /// A field that is read.
    Field(ReceiptField),
    /// `ring_time`. It is read if there is no `b_ring_time`.
    RingTime,
    /// A field that is not read.
    Unused,
    /// A field of another message of the provider.
    OtherMessage,
}

/// Every name of the provider's pages that is not the name of one of [`FIELDS`].
const OTHER_NAMES: [(&str, InputName); 18] = [
    ("ring_time", InputName::RingTime),
    ("called", InputName::Field(Callee)),
    ("caller_show_number", InputName::Field(CallerShowNum)),
    ("callee_show_number", InputName::Field(CalleeShowNum)),
    ("smart_status_code", InputName::Unused),
    ("early_media_code", InputName::Unused),
    ("out_id", InputName::Unused),
    ("a_start_time", InputName::Unused),
    ("a_duration", InputName::Unused),
    ("a_originate_time", InputName::Unused),
    ("b_duration", InputName::Unused),
    ("b_originate_time", InputName::Unused),
    ("voice_type", InputName::Unused),
    ("toll_type", InputName::Unused),
    ("dtmf", InputName::Unused),
    // `VoiceCallReport`, a state on the way.
    ("status_time", InputName::OtherMessage),
    // `VoiceRecordReport`, a recording.
    ("record_file", InputName::OtherMessage),
    ("record_url", InputName::OtherMessage),
];

impl InputName {
    /// What a name means, in any spelling: `call_id`, `callid`, `callId`, `CallId` and `Call ID`
    /// are one name.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let usual = FIELDS.into_iter().find(|field| field.name() == name).map(Self::Field);
        let other = || OTHER_NAMES.iter().find(|(other, _)| *other == name).map(|(_, what)| *what);
        usual.or_else(other).unwrap_or_else(|| Self::in_other_spelling(name))
    }

    #[cold]
    fn in_other_spelling(name: &str) -> Self {
        let field = FIELDS.into_iter().find(|field| is_same_name(field.name(), name)).map(Self::Field);
        let other = || OTHER_NAMES.iter().find(|(other, _)| is_same_name(other, name)).map(|(_, what)| *what);
        field.or_else(other).unwrap_or(Self::Unused)
    }
}

/// True if two names have the same letters and digits, whatever their case.
fn is_same_name(known: &str, name: &str) -> bool {
    let known = known.bytes().filter(|b| *b != b'_');
    let letters = name.bytes().filter(|b| !matches!(b, b'_' | b'-' | b' ' | b'\t'));
    known.eq(letters.map(|b| b.to_ascii_lowercase()))
}
