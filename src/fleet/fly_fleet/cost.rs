//! What a fleet costs at most.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::units::UnitError;

/// The price of one machine for an hour, in US dollars.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct HourlyPrice(f64);

/// The most that machines cost: all of them, for as long as one may live.
#[derive(Debug, Clone, Copy)]
pub struct FleetCost {
    /// The number of machines.
    pub machines: u32,
    /// The longest time that one of them lives.
    pub longest: Duration,
    /// What one costs; `None` if that is not known.
    pub price: Option<HourlyPrice>,
}

impl FromStr for HourlyPrice {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let number = text.trim().trim_start_matches('$').parse().ok();
        let valid = number.filter(|price: &f64| (0.0..=1_000.0).contains(price));
        valid.map(Self).ok_or_else(|| {
            let remedy = "write US dollars for one machine and hour, such as `0.0862`";
            UnitError::new(format!("`{text}` is not a price"), remedy)
        })
    }
}

impl FleetCost {
    /// The time of all machines together, in hours.
    fn hours(&self) -> f64 {
        self.longest.as_secs_f64() * f64::from(self.machines) / 3_600.0
    }
}

/// Rounds up: what is announced must not be exceeded.
impl fmt::Display for FleetCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {:.1} machine-hours", (self.hours() * 10.0).ceil() / 10.0)?;
        match self.price {
            Some(HourlyPrice(price)) => {
                let dollars = (price * self.hours() * 100.0).ceil() / 100.0;
                write!(
                    f,
                    ", so at most ${dollars:.2} at ${price} an hour; traffic, other machines and \
                     taxes are not counted"
                )
            }
            None => f.write_str(
                "; --hourly-price with the price of this size (https://fly.io/docs/about/pricing) \
                 shows what that costs",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(price: Option<&str>) -> String {
        let price = price.map(|price| price.parse().unwrap());
        FleetCost { machines: 8, longest: Duration::from_mins(12), price }.to_string()
    }

    #[test]
    fn the_cost_is_that_of_all_machines_for_the_longest_time_and_rounded_up() {
        let expected = "at most 1.6 machine-hours, so at most $0.14 at $0.0862 an hour; \
                        traffic, other machines and taxes are not counted";
        assert_eq!(words(Some("0.0862")), expected);
        assert_eq!(words(Some("$0.0862")), expected);
        assert!(words(None).contains("--hourly-price"));
    }

    #[test]
    fn what_is_not_a_price_is_refused() {
        for text in ["", "cheap", "-1", "NaN", "inf", "2000"] {
            let error = HourlyPrice::from_str(text).unwrap_err().to_string();
            assert!(error.contains("US dollars"), "{error}");
        }
    }
}
