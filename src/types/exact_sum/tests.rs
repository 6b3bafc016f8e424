//! Against arbitrary-precision arithmetic: the sum, its bytes, and its mean, for values over the whole range.

use num_bigint::BigInt;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::*;

fn big(value: i256) -> BigInt {
    BigInt::from_signed_bytes_le(&value.to_le_bytes())
}

fn any_value(rng: &mut SmallRng) -> i128 {
    match rng.random_range(0..4) {
        0 => rng.random_range(-3..=3),
        1 => rng.random::<i64>() as i128,
        2 => 10i128.pow(38) - 1 - rng.random_range(0..5),
        _ => -(10i128.pow(38) - 1) + rng.random_range(0..5),
    }
}

#[test]
fn sums_are_those_of_big_integers() {
    for seed in 0..200 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let (mut sum, mut expected) = (ExactInteger::default(), BigInt::ZERO);
        let mut history = Vec::new();
        for _ in 0..rng.random_range(0..100) {
            let value = any_value(&mut rng);
            let weight = if rng.random_bool(0.5) { rng.random_range(-2..=2) } else { rng.random::<i64>() >> rng.random_range(8..60) };
            sum.add(value, weight);
            expected += BigInt::from(value) * weight;
            history.push((value, weight));
            if rng.random_bool(0.2) {
                let mut other = ExactInteger::default();
                other.add(value, 1);
                sum.merge(&other);
                expected += value;
                history.push((value, 1));
            }
        }
        assert_eq!(big(sum.total()), expected, "seed {seed}");
        assert_eq!(ExactInteger::from_bytes(&sum.to_bytes()), sum, "seed {seed}");
        let mut bytes = vec![7];
        sum.encode(&mut bytes);
        bytes.push(9);
        let mut input = &bytes[1..];
        assert_eq!(ExactInteger::decode(&mut input), Some(sum), "seed {seed}");
        assert_eq!(input, [9], "seed {seed}");
        for (value, weight) in history.into_iter().rev() {
            sum.add(value, weight.saturating_neg());
            if weight == i64::MIN {
                sum.add(value, 1);
            }
        }
        assert_eq!(sum, ExactInteger::default(), "seed {seed}: taken away again, nothing is left");
    }
}

#[test]
fn the_shortest_bytes_are_read_back() {
    for value in [0, 1, -1, 127, 128, -128, -129, 255, 256, -256, i64::MAX as i128, i64::MIN as i128, i128::MAX, i128::MIN] {
        let mut sum = ExactInteger::default();
        sum.add(value, 1);
        let mut bytes = Vec::new();
        sum.encode(&mut bytes);
        assert_eq!(ExactInteger::decode(&mut bytes.as_slice()).map(|s| s.total()), Some(i256::from_i128(value)), "{value}");
        assert!(ExactInteger::decode(&mut &bytes[..bytes.len() - 1]).is_none() || bytes.len() == 1, "{value}: cut short");
    }
    let mut zero = Vec::new();
    ExactInteger::default().encode(&mut zero);
    assert_eq!(zero, [0]);
    assert_eq!(ExactInteger::decode(&mut [33; 40].as_slice()), None);
}

#[test]
fn means_round_half_away_from_zero() {
    let mean = |sum: i128, count: i64, scale: u8| {
        let mut exact = ExactInteger::default();
        exact.add(sum, 1);
        exact.mean(count, scale, 38)
    };
    assert_eq!(mean(1, 2, 0), Some(1));
    assert_eq!(mean(-1, 2, 0), Some(-1));
    assert_eq!(mean(5, 3, 0), Some(2));
    assert_eq!(mean(4, 3, 0), Some(1));
    assert_eq!(mean(-4, 3, 0), Some(-1));
    assert_eq!(mean(2, 3, 16), Some(6_666_666_666_666_667));
    assert_eq!(mean(-2, 3, 16), Some(-6_666_666_666_666_667));
    assert_eq!(mean(0, 7, 16), Some(0));
    assert_eq!(mean(1, 0, 16), None);
    assert_eq!(mean(10i128.pow(30), 1, 16), None, "46 digits do not fit");
}

#[test]
fn only_the_result_can_overflow() {
    let mut sum = ExactInteger::default();
    sum.add(i64::MAX as i128, 2);
    assert_eq!(sum.to_i64(), None);
    assert_eq!(sum.to_decimal(38), Some(2 * i64::MAX as i128));
    sum.add(i64::MAX as i128, -1);
    assert_eq!(sum.to_i64(), Some(i64::MAX));
    let nines = 10i128.pow(38) - 1;
    let mut decimal = ExactInteger::default();
    decimal.add(nines, 1);
    assert_eq!(decimal.to_decimal(38), Some(nines));
    decimal.add(1, 1);
    assert_eq!(decimal.to_decimal(38), None);
    decimal.add(1, -1);
    assert_eq!(decimal.to_decimal(38), Some(nines));
}
