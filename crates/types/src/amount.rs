//! Amounts as people write them, with their units: `0.5ether`, `3 gwei`, `12wei`, `100auto`.

use alloy::primitives::{
    U256,
    utils::{ParseUnits, Unit},
};
use std::str::FromStr;

/// The units in which ETH is written, from small to large.
const ETH_UNITS: [(&str, Unit); 3] = [("wei", Unit::WEI), ("gwei", Unit::GWEI), ("ether", Unit::ETHER)];
/// The unit in which AUTO is written; it has 18 decimals.
const AUTO_UNIT: &str = "auto";

/// Why a text is no amount of what is asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// A number of ETH alone.
    #[error("`{0}` has no unit: write `{0}wei`, `{0}gwei` or `{0}ether`")]
    NoEthUnit(String),
    /// A number of AUTO alone.
    #[error("`{0}` has no unit: write `{0}auto`")]
    NoAutoUnit(String),
    /// AUTO in place of ETH.
    #[error("`{0}` is an amount of AUTO, but ETH is due here: use wei, gwei or ether")]
    AutoForEth(String),
    /// ETH in place of AUTO.
    #[error("`{0}` is an amount of ETH, but AUTO is due here: use auto, as in `100auto`")]
    EthForAuto(String),
    /// A unit that nobody knows.
    #[error("`{unit}` is no unit: ETH is written in wei, gwei or ether, AUTO in auto")]
    UnknownUnit {
        /// As it was written.
        unit: String,
    },
    /// Something else before the unit.
    #[error("`{0}` is no number: write digits, with at most one decimal point, before the unit")]
    NotANumber(String),
    /// More decimals than the unit has.
    #[error("`{0}` is finer than the smallest unit: {1} has {2} decimals")]
    TooFine(String, String, u8),
    /// More than fits.
    #[error("`{0}` is too large")]
    TooLarge(String),
}

/// What a text says: a number and the unit behind it.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| c.is_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number.trim_end(), unit)
}

fn parse(text: &str, number: &str, unit_name: &str, unit: Unit) -> Result<U256, AmountError> {
    let digits = number.replace('_', "");
    let well_formed = digits.chars().all(|c| c.is_ascii_digit() || c == '.')
        && digits.chars().filter(|c| *c == '.').count() <= 1
        && digits.chars().any(|c| c.is_ascii_digit());
    if !well_formed {
        return Err(AmountError::NotANumber(text.to_owned()));
    }
    let decimals = digits.split_once('.').map_or(0, |(_, fraction)| fraction.trim_end_matches('0').len());
    if decimals > usize::from(unit.get()) {
        return Err(AmountError::TooFine(text.to_owned(), unit_name.to_owned(), unit.get()));
    }
    // Zeros behind the last decimal say nothing, but would be taken for more decimals than there are.
    let digits =
        if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { &digits };
    let digits = if digits.is_empty() { "0" } else { digits };
    let parsed = ParseUnits::parse_units(digits, unit).map_err(|_| AmountError::TooLarge(text.to_owned()))?;
    // A value that needs the sign bit is read as a negative number.
    if parsed.is_negative() {
        return Err(AmountError::TooLarge(text.to_owned()));
    }
    Ok(parsed.get_absolute())
}

/// An amount of ETH in wei.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Eth(pub U256);

impl FromStr for Eth {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let (number, unit_name) = split(text);
        match unit_name {
            "" if number == "0" => Ok(Self(U256::ZERO)),
            "" => Err(AmountError::NoEthUnit(number.to_owned())),
            AUTO_UNIT => Err(AmountError::AutoForEth(text.to_owned())),
            _ => {
                let (_, unit) = ETH_UNITS
                    .iter()
                    .find(|(name, _)| *name == unit_name)
                    .ok_or_else(|| AmountError::UnknownUnit { unit: unit_name.to_owned() })?;
                parse(text, number, unit_name, *unit).map(Self)
            }
        }
    }
}

/// A price in wei per gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GasPrice(pub u128);

impl FromStr for GasPrice {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let Eth(wei) = text.parse()?;
        wei.try_into().map(Self).map_err(|_| AmountError::TooLarge(text.to_owned()))
    }
}

/// An amount of AUTO in base units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Auto(pub U256);

impl FromStr for Auto {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let (number, unit_name) = split(text);
        match unit_name {
            "" if number == "0" => Ok(Self(U256::ZERO)),
            "" => Err(AmountError::NoAutoUnit(number.to_owned())),
            AUTO_UNIT => parse(text, number, AUTO_UNIT, Unit::ETHER).map(Self),
            _ if ETH_UNITS.iter().any(|(name, _)| *name == unit_name) => {
                Err(AmountError::EthForAuto(text.to_owned()))
            }
            _ => Err(AmountError::UnknownUnit { unit: unit_name.to_owned() }),
        }
    }
}

/// An amount of AUTO, or all there will ever be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutoOrMax {
    /// So much.
    Amount(Auto),
    /// All.
    Max,
}

impl AutoOrMax {
    /// Base units; an unlimited allowance is the largest number there is.
    pub const fn base_units(self) -> U256 {
        match self {
            Self::Amount(Auto(amount)) => amount,
            Self::Max => U256::MAX,
        }
    }
}

impl FromStr for AutoOrMax {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        if text == "max" { Ok(Self::Max) } else { text.parse().map(Self::Amount) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eth(text: &str) -> Result<U256, AmountError> {
        text.parse::<Eth>().map(|Eth(wei)| wei)
    }

    fn auto(text: &str) -> Result<U256, AmountError> {
        text.parse::<Auto>().map(|Auto(amount)| amount)
    }

    #[test]
    fn amounts_are_read_in_their_unit() {
        let ether = U256::from(10).pow(U256::from(18));
        assert_eq!(eth("0.5ether"), Ok(ether / U256::from(2)));
        assert_eq!(eth(" 1_000 ether "), Ok(ether * U256::from(1_000)));
        assert_eq!(eth("3gwei"), Ok(U256::from(3_000_000_000u64)));
        assert_eq!(eth("0.1gwei"), Ok(U256::from(100_000_000u64)));
        assert_eq!(eth("12wei"), Ok(U256::from(12)));
        assert_eq!(eth("12.000wei"), Ok(U256::from(12)));
        assert_eq!(eth(".5gwei"), Ok(U256::from(500_000_000u64)));
        assert_eq!(auto("100auto"), Ok(ether * U256::from(100)));
        assert_eq!(auto("0.000000000000000001auto"), Ok(U256::from(1)));
        assert_eq!("max".parse::<AutoOrMax>().map(AutoOrMax::base_units), Ok(U256::MAX));
        assert_eq!("2gwei".parse(), Ok(GasPrice(2_000_000_000)));
    }

    #[test]
    fn a_bare_number_is_refused_unless_it_is_zero() {
        assert_eq!(eth("0"), Ok(U256::ZERO));
        assert_eq!(auto("0"), Ok(U256::ZERO));
        assert_eq!(eth("5"), Err(AmountError::NoEthUnit("5".into())));
        assert_eq!(auto("5"), Err(AmountError::NoAutoUnit("5".into())));
        let message = eth("5").unwrap_err().to_string();
        assert!(["5wei", "5gwei", "5ether"].iter().all(|unit| message.contains(unit)), "{message}");
    }

    #[test]
    fn the_wrong_currency_is_refused_by_name() {
        assert_eq!(eth("1auto"), Err(AmountError::AutoForEth("1auto".into())));
        assert_eq!(auto("1ether"), Err(AmountError::EthForAuto("1ether".into())));
        assert_eq!(eth("1finney"), Err(AmountError::UnknownUnit { unit: "finney".into() }));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["ether", "-1ether", "1.2.3ether", "1,5ether", ".ether", "0x10wei", "1e3wei"] {
            assert!(eth(text).is_err(), "{text}");
        }
        assert!(matches!(eth("1.5wei"), Err(AmountError::TooFine(..))));
        assert!(matches!(auto("0.0000000000000000001auto"), Err(AmountError::TooFine(..))));
        assert!(matches!(eth(&format!("1{}ether", "0".repeat(60))), Err(AmountError::TooLarge(_))));
        assert!(matches!(eth(&format!("{}wei", U256::MAX)), Err(AmountError::TooLarge(_)) | Ok(U256::MAX)));
        assert!(matches!(
            format!("1{}ether", "0".repeat(30)).parse::<GasPrice>(),
            Err(AmountError::TooLarge(_))
        ));
    }
}
