//! Against rationals of big integers: the sum is the exact one, rounded once; and all that was added can be taken away.

use num_bigint::{BigInt, Sign};
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use super::*;

/// The double as a whole number of 2^-1074ths.
fn units(value: f64) -> BigInt {
    let bits = value.abs().to_bits();
    let (exponent, fraction) = (bits >> 52, bits & ((1 << 52) - 1));
    let magnitude = if exponent == 0 { BigInt::from(fraction) } else { BigInt::from(fraction | 1 << 52) << (exponent - 1) };
    if value < 0.0 { -magnitude } else { magnitude }
}

/// True when no double is nearer to `exact` than `value`, and of two as near `value` is the even one.
fn is_nearest(value: f64, exact: &BigInt) -> bool {
    let distance = |v: f64| BigInt::from_biguint(Sign::Plus, (units(v) - exact).magnitude().clone());
    let mine = distance(value);
    [value.next_up(), value.next_down()].into_iter().filter(|v| v.is_finite()).all(|other| {
        let theirs = distance(other);
        mine < theirs || mine == theirs && value.to_bits() & 1 == 0
    })
}

fn any_finite(rng: &mut SmallRng) -> f64 {
    match rng.random_range(0..6) {
        0 => rng.random_range(-4i32..=4) as f64,
        1 => rng.random_range(-1e6..1e6),
        2 => f64::from_bits(rng.random_range(0..1 << 54)),
        3 => [f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, -5e-324, 1e31, 1e-39, -0.0][rng.random_range(0..8)],
        _ => loop {
            let value = f64::from_bits(rng.random());
            if value.is_finite() {
                break value;
            }
        },
    }
}

#[test]
fn the_sum_is_the_exact_one_rounded_once() {
    for seed in 0..2000 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let (mut sum, mut exact) = (ExactFloat::default(), BigInt::ZERO);
        let mut history: Vec<(f64, i64)> = Vec::new();
        for _ in 0..rng.random_range(0..20) {
            let weight = if rng.random_bool(0.8) { rng.random_range(-2..=2) } else { rng.random::<i64>() >> rng.random_range(1..60) };
            let value = any_finite(&mut rng);
            sum.add(value, weight);
            exact += units(value) * weight;
            history.push((value, weight));
            match sum.value() {
                Some(value) => assert!(is_nearest(value, &exact), "seed {seed}: {value} for {exact}"),
                None => assert!(BigInt::from_biguint(Sign::Plus, exact.magnitude().clone()) > units(f64::MAX), "seed {seed}"),
            }
        }
        let mut bytes = Vec::new();
        sum.encode(&mut bytes);
        let mut input = bytes.as_slice();
        let back = ExactFloat::decode(&mut input).unwrap();
        assert!(back == sum && input.is_empty(), "seed {seed}");

        history.shuffle(&mut rng);
        let mut other = ExactFloat::default();
        history.iter().for_each(|(value, weight)| other.add(*value, *weight));
        let mut other_bytes = Vec::new();
        other.encode(&mut other_bytes);
        assert_eq!(bytes, other_bytes, "seed {seed}: the order does not matter");

        let mut none = ExactFloat::default();
        history.iter().for_each(|(value, weight)| none.add(*value, -weight));
        none.merge(&back);
        let mut zero = Vec::new();
        none.encode(&mut zero);
        assert_eq!(zero, [0, 0], "seed {seed}: taken away again, nothing is left");
    }
}

fn sum_of(values: &[f64]) -> ExactFloat {
    let mut sum = ExactFloat::default();
    values.iter().for_each(|v| sum.add(*v, 1));
    sum
}

#[test]
fn what_rounding_would_lose_is_there() {
    assert_eq!(sum_of(&[1e308, 1.0, -1e308]).value(), Some(1.0));
    assert_eq!(sum_of(&[1e-39, 1.01e31, -1.01e31]).value(), Some(1e-39));
    assert_eq!(sum_of(&[0.1; 10]).value(), Some(1.0));
    assert_eq!(sum_of(&[]).value().map(f64::to_bits), Some(0));
    assert_eq!(sum_of(&[-0.0, -0.0]).value().map(f64::to_bits), Some(0));
}

#[test]
fn only_the_result_can_overflow() {
    let mut sum = sum_of(&[f64::MAX, f64::MAX]);
    assert_eq!(sum.value(), None);
    assert_eq!(sum.mean(2), Some(f64::MAX));
    sum.add(f64::MAX, -1);
    assert_eq!(sum.value(), Some(f64::MAX));
    assert_eq!(sum_of(&[f64::MIN, f64::MIN]).value(), None);
    assert_eq!(sum_of(&[f64::MIN, f64::MIN]).mean(2), Some(f64::MIN));
}

#[test]
fn nan_and_infinities_go_when_they_are_taken_away() {
    let mut sum = sum_of(&[1.5, f64::INFINITY]);
    assert_eq!(sum.value(), Some(f64::INFINITY));
    sum.add(f64::NEG_INFINITY, 1);
    assert!(sum.value().unwrap().is_nan() && sum.mean(3).unwrap().is_nan());
    sum.add(f64::INFINITY, -1);
    assert_eq!(sum.value(), Some(f64::NEG_INFINITY));
    sum.add(f64::NAN, 1);
    let mut bytes = Vec::new();
    sum.encode(&mut bytes);
    let mut back = ExactFloat::decode(&mut bytes.as_slice()).unwrap();
    assert!(back.value().unwrap().is_nan());
    back.add(f64::NAN, -1);
    back.add(f64::NEG_INFINITY, -1);
    assert_eq!(back.value(), Some(1.5));
    assert!((0..bytes.len()).all(|n| ExactFloat::decode(&mut &bytes[..n]).is_none()), "cut short, nothing is read");
}
