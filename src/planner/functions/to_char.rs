//! `to_char(timestamp, 'YYYY-MM-DD HH24:MI')`: a moment by a template of PostgreSQL's. The template is read once where it
//! is a constant; what stands in it and is no pattern is copied.

use std::any::Any;
use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringBuilder};
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use crate::planner::error::{PlanError, PlanResult};
use crate::types::form::calendar::{MICROS_PER_DAY, MICROS_PER_SECOND, civil, days};
use crate::types::{SqlState, SqlType};

pub fn function() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(ToChar { signature: Signature::user_defined(Volatility::Immutable) }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ToChar {
    signature: Signature,
}

impl ScalarUDFImpl for ToChar {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "to_char"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [DataType::Timestamp(_, zone), _] => Ok(vec![DataType::Timestamp(TimeUnit::Microsecond, zone.clone()), DataType::Utf8]),
            [DataType::Date32 | DataType::Null, _] => Ok(vec![SqlType::Timestamp.arrow(), DataType::Utf8]),
            [other, _] => {
                let message = format!("to_char({}, text) is not supported", SqlType::of_arrow(other));
                Err(PlanError::unsupported(message, "to_char takes a timestamp, a timestamptz or a date; cast other values to text")
                    .external())
            }
            _ => Err(PlanError::new(SqlState::UNDEFINED_FUNCTION, "function to_char takes a timestamp and a template").external()),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar = args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if scalar { 1 } else { args.number_rows };
        let constant = match &args.args[1] {
            ColumnarValue::Scalar(ScalarValue::Utf8(Some(text))) => Some(template(text).map_err(PlanError::external)?),
            _ => None,
        };
        let moments = args.args[0].to_array(rows)?;
        let moments = moments.as_primitive::<TimestampMicrosecondType>();
        let texts = args.args[1].to_array(rows)?;
        let texts = texts.as_string::<i32>();
        let (mut builder, mut line) = (StringBuilder::with_capacity(rows, rows * 12), String::new());
        // What the line says: moments mostly come in their order, and many in a row are of one day, hour, ...
        let unit = constant.as_deref().map_or(1, unit);
        let mut said = None;
        for (row, moment) in moments.iter().enumerate() {
            // The two ends of time are no moments.
            let Some(moment) = moment.filter(|m| !texts.is_null(row) && *m != i64::MAX && *m != i64::MIN) else {
                builder.append_null();
                continue;
            };
            let now = moment.div_euclid(unit);
            if constant.is_some() && said == Some(now) {
                builder.append_value(&line);
                continue;
            }
            said = Some(now);
            line.clear();
            match &constant {
                Some(template) => write(moment, template, &mut line),
                None => write(moment, &template(texts.value(row)).map_err(PlanError::external)?, &mut line),
            }
            builder.append_value(&line);
        }
        let array: ArrayRef = Arc::new(builder.finish());
        Ok(if scalar { ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?) } else { ColumnarValue::Array(array) })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Upper,
    Capital,
    Lower,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    /// The last so many digits of the year.
    Year(u32),
    IsoYear,
    Quarter,
    Month,
    /// Padded to nine letters.
    MonthName(Case),
    ShortMonthName(Case),
    IsoWeek,
    DayOfYear,
    Day,
    /// Sunday is 1.
    DayOfWeek,
    /// Monday is 1.
    IsoDayOfWeek,
    DayName(Case),
    ShortDayName(Case),
    Hour24,
    Hour12,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    SecondsOfDay,
    /// AM or PM; with points, A.M.
    Meridiem(Case, bool),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// A field; `bare` without zeros or blanks around it.
    Field {
        field: Field,
        bare: bool,
    },
}

/// The patterns; of two that begin alike the longer is first. Those that write names look at the template's own case.
const PATTERNS: [(&str, Field); 29] = [
    ("SSSSS", Field::SecondsOfDay),
    ("SSSS", Field::SecondsOfDay),
    ("MONTH", Field::MonthName(Case::Upper)),
    ("HH24", Field::Hour24),
    ("HH12", Field::Hour12),
    ("YYYY", Field::Year(4)),
    ("IYYY", Field::IsoYear),
    ("A.M.", Field::Meridiem(Case::Upper, true)),
    ("P.M.", Field::Meridiem(Case::Upper, true)),
    ("YYY", Field::Year(3)),
    ("MON", Field::ShortMonthName(Case::Upper)),
    ("DAY", Field::DayName(Case::Upper)),
    ("DDD", Field::DayOfYear),
    ("YY", Field::Year(2)),
    ("MM", Field::Month),
    ("MI", Field::Minute),
    ("MS", Field::Millisecond),
    ("US", Field::Microsecond),
    ("DD", Field::Day),
    ("DY", Field::ShortDayName(Case::Upper)),
    ("ID", Field::IsoDayOfWeek),
    ("IW", Field::IsoWeek),
    ("HH", Field::Hour12),
    ("SS", Field::Second),
    ("AM", Field::Meridiem(Case::Upper, false)),
    ("PM", Field::Meridiem(Case::Upper, false)),
    ("Y", Field::Year(1)),
    ("Q", Field::Quarter),
    ("D", Field::DayOfWeek),
];

/// Patterns of PostgreSQL's that are not written here.
const REFUSED: [&str; 10] = ["TZH", "TZM", "TZ", "OF", "CC", "WW", "RM", "BC", "AD", "J"];

fn template(text: &str) -> PlanResult<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut bare = false;
    while let Some(first) = rest.chars().next() {
        let begins = |pattern: &str| rest.get(..pattern.len()).is_some_and(|start| start.eq_ignore_ascii_case(pattern));
        if begins("FM") {
            bare = true;
            rest = &rest[2..];
            continue;
        }
        if let Some((pattern, field)) = PATTERNS.iter().find(|(pattern, _)| begins(pattern)) {
            pieces.push(Piece::Field { field: cased(*field, &rest[..pattern.len()]), bare });
            bare = false;
            rest = &rest[pattern.len()..];
            if rest.get(..2).is_some_and(|suffix| suffix.eq_ignore_ascii_case("th")) {
                return Err(unsupported("TH"));
            }
            continue;
        }
        if let Some(pattern) = REFUSED.iter().find(|pattern| begins(pattern)) {
            return Err(unsupported(pattern));
        }
        // Between double quotes everything stands for itself.
        let (literal, after) = match rest.strip_prefix('"').map(|inner| inner.split_once('"').unwrap_or((inner, ""))) {
            Some(quoted) => quoted,
            None => rest.split_at(first.len_utf8()),
        };
        match pieces.last_mut() {
            Some(Piece::Text(text)) => text.push_str(literal),
            _ => pieces.push(Piece::Text(literal.to_string())),
        }
        rest = after;
    }
    Ok(pieces)
}

fn unsupported(pattern: &str) -> PlanError {
    PlanError::unsupported(
        format!("the pattern {pattern} of to_char is not supported"),
        "put text that is no pattern between double quotes",
    )
}

/// The field with the case in which its pattern was written.
fn cased(field: Field, written: &str) -> Field {
    let mut letters = written.chars().filter(|c| c.is_ascii_alphabetic()).map(|c| c.is_ascii_uppercase());
    let case = match (letters.next(), letters.next()) {
        (Some(true), Some(true)) => Case::Upper,
        (Some(true), _) => Case::Capital,
        _ => Case::Lower,
    };
    match field {
        Field::MonthName(_) => Field::MonthName(case),
        Field::ShortMonthName(_) => Field::ShortMonthName(case),
        Field::DayName(_) => Field::DayName(case),
        Field::ShortDayName(_) => Field::ShortDayName(case),
        Field::Meridiem(_, points) => Field::Meridiem(if case == Case::Lower { Case::Lower } else { Case::Upper }, points),
        other => other,
    }
}

const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
/// From the first day of 1970 on.
const WEEKDAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];

fn write(moment: i64, template: &[Piece], out: &mut String) {
    let (day, micros) = (moment.div_euclid(MICROS_PER_DAY), moment.rem_euclid(MICROS_PER_DAY));
    let (year, month, date) = civil(day);
    let second = micros / MICROS_PER_SECOND;
    for piece in template {
        let (field, bare) = match piece {
            Piece::Text(text) => {
                out.push_str(text);
                continue;
            }
            Piece::Field { field, bare } => (*field, *bare),
        };
        // What is written as a number: its value and its digits.
        let (value, digits) = match field {
            // 1 BC is the year before 1.
            Field::Year(last) => {
                (if year > 0 { year } else { 1 - year } % if last == 4 { i64::MAX } else { 10i64.pow(last) }, last as usize)
            }
            Field::IsoYear => (iso_week(day).0, 4),
            Field::Quarter => (i64::from(month - 1) / 3 + 1, 1),
            Field::Month => (i64::from(month), 2),
            Field::IsoWeek => (iso_week(day).1, 2),
            Field::DayOfYear => (day - days(year, 1, 1).unwrap_or(day) + 1, 3),
            Field::Day => (i64::from(date), 2),
            Field::DayOfWeek => ((day + 4).rem_euclid(7) + 1, 1),
            Field::IsoDayOfWeek => ((day + 3).rem_euclid(7) + 1, 1),
            Field::Hour24 => (second / 3600, 2),
            Field::Hour12 => ((second / 3600 + 11) % 12 + 1, 2),
            Field::Minute => (second / 60 % 60, 2),
            Field::Second => (second % 60, 2),
            Field::Millisecond => (micros % MICROS_PER_SECOND / 1000, 3),
            Field::Microsecond => (micros % MICROS_PER_SECOND, 6),
            Field::SecondsOfDay => (second, 1),
            Field::MonthName(case) => {
                name(MONTHS[month as usize - 1], case, !bare, out);
                continue;
            }
            Field::ShortMonthName(case) => {
                name(&MONTHS[month as usize - 1][..3], case, false, out);
                continue;
            }
            Field::DayName(case) => {
                name(WEEKDAYS[day.rem_euclid(7) as usize], case, !bare, out);
                continue;
            }
            Field::ShortDayName(case) => {
                name(&WEEKDAYS[day.rem_euclid(7) as usize][..3], case, false, out);
                continue;
            }
            Field::Meridiem(case, points) => {
                let half = if second < 43_200 { "a" } else { "p" };
                let text = if points { format!("{half}.m.") } else { format!("{half}m") };
                name(&text, case, false, out);
                continue;
            }
        };
        let _ = write!(out, "{value:0width$}", width = if bare { 1 } else { digits });
    }
}

/// The longest time, in microseconds, within which nothing changes that the template shows.
fn unit(template: &[Piece]) -> i64 {
    let of_field = |field: &Field| match field {
        Field::Microsecond => 1,
        Field::Millisecond => 1000,
        Field::Second | Field::SecondsOfDay => MICROS_PER_SECOND,
        Field::Minute => 60 * MICROS_PER_SECOND,
        Field::Hour24 | Field::Hour12 | Field::Meridiem(..) => 3600 * MICROS_PER_SECOND,
        Field::Year(_) | Field::IsoYear | Field::Quarter | Field::Month | Field::MonthName(_) | Field::ShortMonthName(_) => MICROS_PER_DAY,
        Field::IsoWeek | Field::DayOfYear | Field::Day | Field::DayOfWeek | Field::IsoDayOfWeek => MICROS_PER_DAY,
        Field::DayName(_) | Field::ShortDayName(_) => MICROS_PER_DAY,
    };
    let fields = template.iter().filter_map(|piece| if let Piece::Field { field, .. } = piece { Some(of_field(field)) } else { None });
    fields.min().unwrap_or(MICROS_PER_DAY)
}

fn name(name: &str, case: Case, padded: bool, out: &mut String) {
    let before = out.len();
    match case {
        Case::Upper => out.push_str(&name.to_uppercase()),
        Case::Capital => out.push_str(name),
        Case::Lower => out.push_str(&name.to_lowercase()),
    }
    let missing = if padded { 9usize.saturating_sub(out.len() - before) } else { 0 };
    out.extend(std::iter::repeat_n(' ', missing));
}

/// The year and the week that ISO 8601 counts the day in: that of the week's Thursday.
fn iso_week(day: i64) -> (i64, i64) {
    let thursday = day - (day + 3).rem_euclid(7) + 3;
    let (year, ..) = civil(thursday);
    (year, (thursday - days(year, 1, 1).unwrap_or(thursday)) / 7 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, micros: i64) -> String {
        let mut out = String::new();
        write(micros, &template(text).unwrap(), &mut out);
        out
    }

    /// Moments that are said to be of one unit have one text.
    #[test]
    fn a_unit_has_one_text() {
        for (pattern, _) in PATTERNS {
            let template = template(pattern).unwrap();
            let unit = unit(&template);
            for moment in [0, -1, -MICROS_PER_DAY, 1_767_323_045_006_007, -62_135_596_800_000_001, 951_782_399_999_999] {
                let from = moment.div_euclid(unit) * unit;
                let texts = [from, from + unit / 2, from + unit - 1].map(|moment| {
                    let mut out = String::new();
                    write(moment, &template, &mut out);
                    out
                });
                assert!(texts.iter().all(|text| *text == texts[0]), "{pattern}: {texts:?}");
            }
        }
    }

    #[test]
    fn fields() {
        // 2026-01-02 03:04:05.006007, a Friday.
        let moment = 1_767_323_045_006_007;
        let cases = [
            ("YYYY-MM-DD", "2026-01-02"),
            ("yyyy/mm/dd hh24:mi:ss.us", "2026/01/02 03:04:05.006007"),
            ("HH24:MI", "03:04"),
            ("FMDD.FMMM.YY MS", "2.1.26 006"),
            ("Day|FMDay|DY|Mon|month|Q|DDD|D|ID", "Friday   |Friday|FRI|Jan|january  |1|002|6|5"),
            ("IYYY-\"W\"IW", "2026-W01"),
            ("HH12 AM p.m.", "03 AM a.m."),
            ("\"at\" HH", "at 03"),
            ("SSSS", "11045"),
        ];
        for (template, expected) in cases {
            assert_eq!(shown(template, moment), expected, "{template}");
        }
        assert_eq!(shown("YYYY-MM-DD HH24:MI:SS", -1), "1969-12-31 23:59:59");
        assert_eq!(shown("HH:MI AM", 12 * 3600 * MICROS_PER_SECOND), "12:00 PM");
        assert!(template("DDth").is_err() && template("TZ").is_err());
    }
}
