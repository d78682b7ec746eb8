"""Random ledgers as tables: every type that a column may have, and every fault that a row may have."""

import csv
import datetime
import decimal
import random

import pyarrow as pa

CALLS = 50
PRODUCTS = {11000000300006: "voice-notification", 11010000138001: "verification-code", 11000000300005: "ivr"}
CHINA = datetime.timezone(datetime.timedelta(hours=8))
FIELDS = [
    "call_id", "prod_id", "called_at", "caller", "callee", "callee_show_number", "state", "answered",
    "duration_s", "started_at", "ended_at",
]  # fmt: skip


def true_rows(seed):
    """Rows that are right: the simulated provider makes its records from them."""
    rng = random.Random(seed)
    for call in range(CALLS):
        number = seed * CALLS + call
        # Some calls are near midnight, whose record may be on the other day.
        minute = rng.choice([rng.randrange(1440), 1435, 5])
        at = datetime.datetime(2026, 11, 16, tzinfo=CHINA) + datetime.timedelta(minutes=minute, seconds=number % 60)
        talk = rng.choice([0, rng.randrange(1, 200)])
        start = at + datetime.timedelta(seconds=rng.randrange(4, 20))
        yield {
            "call_id": f"1160{number:08}^1028{number:08}",
            "prod_id": rng.choice(list(PRODUCTS)),
            "called_at": at,
            "caller": f"0571{number:08}",
            "callee": f"125{number:08}",
            "callee_show_number": "057100001836",
            "state": 200000 if talk else 200003,
            "answered": talk > 0,
            "duration_s": talk,
            "started_at": start if talk else None,
            "ended_at": start + datetime.timedelta(seconds=talk) if talk else None,
        }


def write_csv(path, seeds):
    """Writes the true rows of these ledgers into one."""
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        for seed in seeds:
            writer.writerows({key: _plain(value) for key, value in row.items()} for row in true_rows(seed))


def _plain(value):
    return value.strftime("%Y-%m-%d %H:%M:%S") if isinstance(value, datetime.datetime) else value


def table(seed):
    """A ledger with faults, and the options for its run: program and wheel."""
    rng = random.Random(1_000 + seed)
    rows = list(true_rows(seed))
    rows += [{**rows[0], "call_id": f"999{seed:09}^{n}"} for n in range(3)]  # never asked
    for row in rows:
        row["Campaign"] = rng.choice(["", None, "spring", "reminder, second"])
        row["ticket"] = rng.choice([None, rng.randrange(10_000)])
        for field in FIELDS[3:]:
            if rng.random() < 0.05:
                row[field] = None
    for row in rng.sample(rows, 8):
        later = dict(row)
        for field in rng.sample(FIELDS[3:] + ["Campaign"], 3):
            later[field] = rng.choice([None, rng.choice(rows)[field]])
        rows.insert(rng.randrange(len(rows) + 1), later)
    kinds = {field: rng.choice(list(KINDS[field])) for field in FIELDS}
    columns = {field: [KINDS[field][kinds[field]](row[field], rng) for row in rows] for field in FIELDS}
    for field, faults in FAULTS.items():
        if kinds[field] == "text":
            for row in rng.sample(range(len(rows)), 2):
                columns[field][row] = rng.choice(faults)
    columns["query_date"] = [row["called_at"].date() for row in rows]
    columns["Campaign"] = [row["Campaign"] for row in rows]
    columns["ticket"] = [row["ticket"] for row in rows]
    empty = rng.randrange(len(rows))
    for column in columns.values():
        column.insert(empty, None)
    arrays = {name: _array(column, TYPES.get((name, kinds.get(name)))) for name, column in columns.items()}
    names = {field: rng.choice(NAMES.get(field, [field])) for field in arrays}
    made = pa.table({names[field]: array for field, array in arrays.items()})
    settle, tolerance = rng.choice([0, 300, 10**9]), rng.choice([0, 2, 60])
    call = {"settle": datetime.timedelta(seconds=settle), "time_tolerance": tolerance, "duration_tolerance": tolerance}
    options = ["--settle", f"{settle}s", "--time-tolerance", tolerance, "--duration-tolerance", tolerance]
    return made, options, call


def plain_table(seed):
    """The same without string views: pyarrow cannot filter them."""
    made, _, call = table(seed)
    views = [field.with_type(pa.string()) if field.type == pa.string_view() else field for field in made.schema]
    return made.cast(pa.schema(views)), call


def _array(values, kind):
    return pa.array(values, kind) if kind is not None else pa.array(values)


def _text_time(value, rng):
    forms = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S+08:00", "%Y/%m/%d %H:%M:%S", "%Y年%m月%d日 %H:%M:%S", "%Y-%m-%d"]
    return None if value is None else value.strftime(rng.choice(forms))


def _text(value, rng):
    if value is None:
        return rng.choice([None, "", "NULL", " "])
    return rng.choice([str(value), f" {value}", f"'{value}", f'="{value}"'])


def _same(value, _rng):
    return value


def _if(convert):
    return lambda value, _rng: None if value is None else convert(value)


_TIMES = {
    "text": _text_time,
    "utc": _same,
    "local": _if(lambda at: at.replace(tzinfo=None)),
    "millis": _if(lambda at: int(at.timestamp()) * 1_000),
    "day": _if(lambda at: at.date()),
}
_INTEGERS = {"text": _text, "integer": _same, "small": _same, "float": _if(float), "decimal": _if(decimal.Decimal)}
_TEXTS = {"text": _text, "plain": _if(str), "long": _if(str), "view": _if(str), "dictionary": _if(str)}

KINDS = {
    "call_id": {"text": lambda value, rng: rng.choice([value, f" {value}"]), "long": _same, "view": _same},
    "prod_id": {
        "text": lambda value, rng: rng.choice([str(value), PRODUCTS[value], f"{value}.0"]),
        "integer": _same,
        "float": _if(float),
    },
    "called_at": {kind: how for kind, how in _TIMES.items() if kind != "day"},
    "caller": _TEXTS,
    "callee": {
        **_TEXTS,
        "text": lambda value, rng: value and rng.choice([value, f"+86 {value}", f"0086{value}", f"{value[:3]}-{value[3:]}"]),
    },
    "callee_show_number": {**_TEXTS, "integer": _if(int)},
    "state": {**_TEXTS, "integer": _same, "float": _if(float)},
    "answered": {
        "text": lambda value, rng: rng.choice(["yes", "1", "是", "TRUE"] if value else ["no", "0", "否"]),
        "boolean": _same,
        "small": _if(int),
    },
    "duration_s": _INTEGERS,
    "started_at": _TIMES,
    "ended_at": _TIMES,
}

_OF_TIME = {"utc": pa.timestamp("us", "UTC"), "local": pa.timestamp("ms"), "millis": pa.int64(), "day": pa.date32()}
_OF_VALUE = {
    "text": pa.string(), "plain": pa.string(), "long": pa.large_string(), "view": pa.string_view(),
    "dictionary": pa.dictionary(pa.int32(), pa.string()), "integer": pa.int64(), "small": pa.int16(),
    "float": pa.float64(), "decimal": pa.decimal128(10, 2), "boolean": pa.bool_(),
}  # fmt: skip
TYPES = {
    (field, kind): {**_OF_VALUE, **_OF_TIME}[kind] for field, kinds in KINDS.items() for kind in kinds
}

FAULTS = {
    "call_id": [None, "", "1.16E+11", "合计", "-----", "116^", "a\nb", "116014888060.0", "call_id", "x" * 300, "1\ufffd^2"],
    "prod_id": ["1.1E+13", "nothing", "0", "-5", ""],
    "called_at": ["17.11.2026 09:30", "11/16", "0000-00-00", "2026-02-30", "1999-01-01", "soon", "1.67E+12"],
    "answered": ["n/a", "maybe", "2"],
    "duration_s": ["1:15", "-1", "12.5", "1E+2", "７５"],
    "caller": ["1.38E+10", "０５７１", "05\ufffd1"],
    "started_at": ["9:05", "2026-11-16 9:05 PM"],
}  # fmt: skip

NAMES = {
    "call_id": ["call_id", "Call ID", "通话ID"],
    "prod_id": ["prod_id", "product"],
    "called_at": ["called_at", "gmt_create", "呼叫时间"],
    "callee": ["callee", "被叫号码"],
    "duration_s": ["duration_s", "duration", "通话时长(秒)"],
    "state": ["state", "通话状态"],
}
