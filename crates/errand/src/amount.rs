//! Amounts for people, exact and with their units.

use alloy::primitives::{
    U256,
    utils::{ParseUnits, Unit},
};

/// An amount of ETH for people: exact, in the unit that needs the fewest zeros.
pub(crate) fn eth_text(wei: U256) -> String {
    let (name, unit) = match wei {
        _ if wei.is_zero() => return "0 ether".to_owned(),
        _ if wei < U256::from(1_000_000u64) => ("wei", Unit::WEI),
        _ if wei < U256::from(100_000_000_000_000u64) => ("gwei", Unit::GWEI),
        _ => ("ether", Unit::ETHER),
    };
    format!("{} {name}", decimal(wei, unit))
}

/// An amount of AUTO for people, exact.
pub(crate) fn auto_text(base_units: U256) -> String {
    if base_units == U256::MAX {
        "unlimited AUTO".to_owned()
    } else {
        format!("{} AUTO", decimal(base_units, Unit::ETHER))
    }
}

/// A price per gas for people.
pub(crate) fn gas_price_text(wei_per_gas: u128) -> String {
    format!("{} gwei", decimal(U256::from(wei_per_gas), Unit::GWEI))
}

fn decimal(value: U256, unit: Unit) -> String {
    let text = ParseUnits::from(value).format_units(unit);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_exact_and_short() {
        assert_eq!(eth_text(U256::ZERO), "0 ether");
        assert_eq!(eth_text(U256::from(999)), "999 wei");
        assert_eq!(eth_text(U256::from(1_500_000_000u64)), "1.5 gwei");
        assert_eq!(eth_text(U256::from(500_000_000_000_000_001u64)), "0.500000000000000001 ether");
        assert_eq!(auto_text(U256::from(100) * U256::from(10).pow(U256::from(18))), "100 AUTO");
        assert_eq!(auto_text(U256::MAX), "unlimited AUTO");
        assert_eq!(gas_price_text(7), "0.000000007 gwei");
    }
}
