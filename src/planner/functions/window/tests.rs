//! Windows around 1970, where dividing by cutting would go wrong.

use super::*;

const SECOND: i64 = 1_000_000;

#[test]
fn tumbling_windows_floor_on_both_sides_of_1970() {
    for (t, start) in [(0, 0), (59, 0), (60, 60), (-1, -60), (-60, -60), (-61, -120)] {
        assert_eq!(floor(t * SECOND, 60 * SECOND), Some(start * SECOND), "{t}");
    }
    assert_eq!(floor(i64::MIN, 60 * SECOND), None);
}

#[test]
fn hopping_windows_hold_their_instant() {
    let starts = |t: i64, slide: i64, size: i64| -> Vec<i64> {
        let instants = TimestampMicrosecondArray::from(vec![t]);
        let list = hops(&instants, slide, size, &SqlType::Timestamp.arrow()).unwrap();
        list.as_list::<i32>().values().as_primitive::<TimestampMicrosecondType>().values().to_vec()
    };
    assert_eq!(starts(7, 5, 10), vec![0, 5]);
    assert_eq!(starts(5, 5, 10), vec![0, 5]);
    assert_eq!(starts(-1, 5, 10), vec![-10, -5]);
    assert_eq!(starts(7, 3, 10), vec![0, 3, 6], "a size that is no multiple of the slide: three or four windows");
    assert_eq!(starts(9, 3, 10), vec![0, 3, 6, 9]);
    assert_eq!(starts(7, 10, 5), Vec::<i64>::new(), "between two windows");
    for t in -50..50 {
        for start in starts(t, 7, 20) {
            assert!(start <= t && t < start + 20 && start.rem_euclid(7) == 0, "{t} {start}");
        }
        assert!((2..=3).contains(&starts(t, 7, 20).len()), "{t}");
    }
}

#[test]
fn null_instants_are_in_no_window() {
    let instants = TimestampMicrosecondArray::from(vec![None, Some(1)]);
    let list = hops(&instants, 1, 1, &SqlType::Timestamp.arrow()).unwrap();
    assert!(list.is_null(0) && list.is_valid(1));
}

#[test]
fn sizes() {
    assert_eq!(window_micros(0, 1, 1000), Ok(86_400_000_001));
    assert_eq!(window_micros(1, 0, 0).unwrap_err().sqlstate, SqlState::FEATURE_NOT_SUPPORTED);
    for nanos in [0, -1000] {
        assert_eq!(window_micros(0, 0, nanos).unwrap_err().sqlstate, SqlState::INVALID_PARAMETER_VALUE);
    }
}

#[test]
fn the_first_of_the_windows() {
    for (t, slide, size) in (-20..20).flat_map(|t| [(t, 2, 10), (t, 5, 5), (t, 3, 9)]) {
        let list = hops(&TimestampMicrosecondArray::from(vec![t]), slide, size, &SqlType::Timestamp.arrow()).unwrap();
        let starts = list.as_list::<i32>().values().as_primitive::<TimestampMicrosecondType>().clone();
        assert_eq!(first(t, slide, size), Some(starts.value(0)), "{t} {slide} {size}");
        assert_eq!(starts.len() as i64, size / slide);
    }
    for t in [i64::MIN, i64::MIN + 5, i64::MAX, i64::MAX - 9] {
        let list = hops(&TimestampMicrosecondArray::from(vec![t]), 2, 10, &SqlType::Timestamp.arrow());
        assert_eq!(first(t, 2, 10).is_none(), list.is_err(), "{t}");
    }
}
