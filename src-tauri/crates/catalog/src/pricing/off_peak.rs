//! Off-peak hours: rates that replace the row's while a window is open.

use crate::prices::{Hours, OffPeak, Rate, RateRow, Rates, Row, Window};

const MS_PER_MINUTE: i64 = 60_000;
const MINUTES_PER_DAY: i64 = 24 * 60;

/// The rates in force at a moment.
#[derive(Debug)]
pub(super) enum InForce<'a> {
    Peak(&'a Rates),
    OffPeak {
        rates: Rates,
        replaced: &'a Rates,
    },
    /// The weekday cannot be told: its time zone is none that we know. The row's own rates stand.
    Undecided {
        rates: &'a Rates,
        zone: &'a str,
    },
}

impl InForce<'_> {
    pub(super) fn rates(&self) -> &Rates {
        match self {
            Self::Peak(rates) | Self::Undecided { rates, .. } => rates,
            Self::OffPeak { rates, .. } => rates,
        }
    }

    /// Whether this rate is not the row's own.
    pub(super) fn replaces(&self, rate: Rate) -> bool {
        matches!(self, Self::OffPeak { replaced, .. } if replaced.get(rate).is_some())
    }
}

pub(super) fn rates_at<'a>(row: &'a Row, rates: &'a RateRow, started_at_ms: i64) -> InForce<'a> {
    let Some(off_peak) = &row.off_peak else { return InForce::Peak(&rates.rates) };
    match is_open(off_peak, started_at_ms) {
        Some(true) => {
            InForce::OffPeak { rates: rates.rates.replaced_by(&off_peak.rates), replaced: &off_peak.rates }
        }
        Some(false) => InForce::Peak(&rates.rates),
        None => InForce::Undecided { rates: &rates.rates, zone: &off_peak.weekday_timezone },
    }
}

/// Whether a window is open; `None` where that hangs on a calendar that we do not know.
fn is_open(off_peak: &OffPeak, at_ms: i64) -> Option<bool> {
    let minute = at_ms.div_euclid(MS_PER_MINUTE).rem_euclid(MINUTES_PER_DAY) as u32;
    let mut decided = Some(false);
    for window in off_peak.windows.iter().filter(|window| window.hours_utc.iter().any(|h| holds(*h, minute)))
    {
        match on_this_day(window, &off_peak.weekday_timezone, at_ms) {
            Some(true) => return Some(true),
            Some(false) => {}
            None => decided = None,
        }
    }
    decided
}

fn on_this_day(window: &Window, zone: &str, at_ms: i64) -> Option<bool> {
    let Some(weekdays) = &window.weekdays else { return Some(true) };
    Some(weekdays.contains(&weekday(at_ms, offset_minutes(zone)?)))
}

/// Start included, end excluded; an end at or before the start is on the next day.
fn holds(hours: Hours, minute: u32) -> bool {
    if hours.start < hours.end {
        (hours.start..hours.end).contains(&minute)
    } else {
        minute >= hours.start || minute < hours.end
    }
}

/// The offset of the zones that the table uses; both are the same all year (China has had no
/// summer time since 1991).
fn offset_minutes(zone: &str) -> Option<i64> {
    match zone {
        "UTC" => Some(0),
        "Asia/Shanghai" => Some(8 * 60),
        _ => None,
    }
}

/// ISO weekday (1 = Monday) at `at_ms` on a clock that is `offset` minutes before UTC's.
fn weekday(at_ms: i64, offset: i64) -> u8 {
    let days = (at_ms.div_euclid(MS_PER_MINUTE) + offset).div_euclid(MINUTES_PER_DAY);
    // The epoch's first day was a Thursday.
    ((days + 3).rem_euclid(7) + 1) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prices::PriceTable;

    /// 2026-11-20, a Friday, at this time of day in UTC.
    fn friday(hour: i64, minute: i64) -> i64 {
        1_795_132_800_000 + (hour * 60 + minute) * MS_PER_MINUTE
    }

    fn hours(start: u32, end: u32) -> Hours {
        Hours { start: start * 60, end: end * 60 }
    }

    #[test]
    fn weekdays_follow_the_calendar() {
        assert_eq!(weekday(0, 0), 4);
        assert_eq!(weekday(-1, 0), 3);
        assert_eq!(weekday(friday(0, 0), 0), 5);
        assert_eq!(weekday(friday(15, 59), 8 * 60), 5);
        assert_eq!(weekday(friday(16, 0), 8 * 60), 6);
    }

    #[test]
    fn an_end_is_excluded_and_one_at_or_before_the_start_wraps() {
        for (window, minute, open) in [
            (hours(4, 6), 4 * 60 - 1, false),
            (hours(4, 6), 4 * 60, true),
            (hours(4, 6), 6 * 60 - 1, true),
            (hours(4, 6), 6 * 60, false),
            (hours(10, 0), 23 * 60 + 59, true),
            (hours(10, 0), 0, false),
            (hours(22, 2), 60, true),
            (hours(22, 2), 2 * 60, false),
            (hours(0, 0), 0, true),
            (hours(0, 0), 12 * 60, true),
        ] {
            assert_eq!(holds(window, minute), open, "{window:?} at {minute}");
        }
    }

    #[test]
    fn a_window_counts_weekdays_in_its_own_zone() {
        let mut off_peak = OffPeak {
            windows: vec![Window { hours_utc: vec![hours(0, 0)], weekdays: Some(vec![6, 7]) }],
            weekday_timezone: "Asia/Shanghai".to_owned(),
            rates: Rates::default(),
        };
        assert_eq!(is_open(&off_peak, friday(15, 59)), Some(false));
        assert_eq!(is_open(&off_peak, friday(16, 0)), Some(true));
        off_peak.weekday_timezone = "UTC".to_owned();
        assert_eq!(is_open(&off_peak, friday(16, 0)), Some(false));
        off_peak.weekday_timezone = "Mars/Olympus".to_owned();
        assert_eq!(is_open(&off_peak, friday(16, 0)), None);
    }

    #[test]
    fn the_table_names_no_zone_that_we_do_not_know() {
        for row in PriceTable::embedded().rows() {
            if let Some(off_peak) = &row.off_peak {
                assert!(offset_minutes(&off_peak.weekday_timezone).is_some(), "{}", row.model);
            }
        }
    }
}
