//! Where periods of the calendar begin and end, in the user's zone.
//!
//! Periods have neither gaps nor overlaps, whatever the zone does: each moment lies in exactly one.
//! A day has 23 or 25 hours where summer time begins or ends, and begins where the zone's day does
//! (not every midnight exists). An hour that the clocks show twice is two hours.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use crate::policy::Period;

/// When the period around `unix_ms` began, in Unix milliseconds.
pub fn period_start(period: Period, zone: &TimeZone, unix_ms: i64) -> i64 {
    bounds(period, zone, unix_ms).0
}

/// When the next period begins, in Unix milliseconds.
pub fn period_end(period: Period, zone: &TimeZone, unix_ms: i64) -> i64 {
    bounds(period, zone, unix_ms).1
}

/// Beginning and end. At the ends of the calendar (the years −9999 and 9999) a period is as long as
/// there is time.
pub(super) fn bounds(period: Period, zone: &TimeZone, unix_ms: i64) -> (i64, i64) {
    let now = timestamp(unix_ms).to_zoned(zone.clone());
    let found = match period {
        Period::Hour => hour(&now),
        Period::Day | Period::Week | Period::Month => days(period, &now),
    };
    found.unwrap_or((Timestamp::MIN.as_millisecond(), Timestamp::MAX.as_millisecond()))
}

fn timestamp(unix_ms: i64) -> Timestamp {
    let limit = if unix_ms < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(unix_ms).unwrap_or(limit)
}

fn days(period: Period, now: &Zoned) -> Option<(i64, i64)> {
    let today = now.date();
    let first = match period {
        Period::Week => today.checked_sub(i32::from(today.weekday().to_monday_zero_offset()).days()).ok()?,
        Period::Month => today.first_of_month(),
        Period::Hour | Period::Day => today,
    };
    let next = match period {
        Period::Week => first.checked_add(1.week()),
        Period::Month => first.checked_add(1.month()),
        Period::Hour | Period::Day => first.checked_add(1.day()),
    };
    Some((midnight(first, now.time_zone())?, midnight(next.ok()?, now.time_zone())?))
}

/// The first moment of a date; the next one that exists where the zone has none.
fn midnight(date: Date, zone: &TimeZone) -> Option<i64> {
    let at = date.to_datetime(Time::midnight());
    Some(zone.to_ambiguous_zoned(at).compatible().ok()?.timestamp().as_millisecond())
}

fn hour(now: &Zoned) -> Option<(i64, i64)> {
    let begun = now.date().at(now.hour(), 0, 0, 0);
    let next = begun.checked_add(1.hour()).ok()?;
    let zone = now.time_zone();
    let moment = now.timestamp().as_millisecond();
    // Each full hour that the clocks show around now; twice where they show it twice.
    let mut fulls = Vec::with_capacity(4);
    for full in [begun, next] {
        let shown = zone.to_ambiguous_zoned(full);
        for shown in [shown.clone().earlier(), shown.later()] {
            fulls.push(shown.ok()?.timestamp().as_millisecond());
        }
    }
    let start = fulls.iter().copied().filter(|full| *full <= moment).max()?;
    let end = fulls.iter().copied().filter(|full| *full > moment).min()?;
    Some((start, end))
}
