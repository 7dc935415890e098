//! Amounts of ETH as people write them: `0.1 ether`, `30gwei`, `7 wei`.

use super::error::Problem;
use alloy::primitives::{U256, utils::Unit};

/// Wei of `text`, which must name its unit.
pub(crate) fn parse(text: &str) -> Result<U256, Problem> {
    let text = text.trim();
    let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_')).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let bad =
        |why: &str| Problem::BadValue { expected: "amount".into(), value: text.into(), why: why.into() };
    if !digits.contains(|c: char| c.is_ascii_digit()) {
        return Err(bad("it has no digits"));
    }
    let decimals = match unit.trim() {
        "" => return Err(Problem::AmountWithoutUnit { value: text.into() }),
        "wei" => 0,
        "gwei" => 9,
        "ether" => 18,
        _ => return Err(bad("units are wei, gwei and ether")),
    };
    let digits = digits.replace('_', "");
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    if fraction.len() > decimals {
        return Err(bad("it is finer than a wei"));
    }
    let unit = Unit::new(u8::try_from(decimals).unwrap_or_default()).unwrap_or(Unit::WEI);
    let wei = |digits: &str| if digits.is_empty() { Ok(U256::ZERO) } else { digits.parse::<U256>() };
    let padded = format!("{fraction:0<decimals$}");
    let (Ok(whole), Ok(part)) = (wei(whole), wei(&padded)) else {
        return Err(bad("it is no decimal number"));
    };
    whole.checked_mul(unit.wei()).and_then(|wei| wei.checked_add(part)).ok_or_else(|| bad("it is too large"))
}
