//! What there is to say against a Request before it is registered.

use crate::{
    amount::auto_text,
    commands::auto::AutoFunds,
    preview::{Execution, Glimpse, Repeats},
};
use alloy::primitives::U256;
use errand_types::Auto;

/// What AUTO is missing for the fee, and the command that mends it.
pub(super) fn auto_warning(funds: AutoFunds, fee: U256) -> Option<String> {
    if funds.balance < fee {
        return Some(format!(
            "the fee is about {}, and your wallet has {}: get AUTO before it is due (`errand auto balance` shows it)",
            auto_text(fee),
            auto_text(funds.balance)
        ));
    }
    (funds.allowance < fee).then(|| {
        format!(
            "the fee is about {}, and you allow {}: run `errand auto approve {}`",
            auto_text(fee),
            auto_text(funds.allowance),
            approve_argument(fee)
        )
    })
}

/// Twice the fee in whole AUTO, rounded up: an amount that somebody would type.
fn approve_argument(fee: U256) -> String {
    let Ok(Auto(one)) = "1auto".parse::<Auto>() else { return "max".to_owned() };
    let whole = fee.saturating_mul(U256::from(2)).div_ceil(one);
    format!("{whole}auto")
}

/// What the tries say against registering.
pub(super) fn misgivings(glimpses: &[Glimpse], execution: &Execution, repeats: &Repeats) -> Vec<String> {
    let mut warnings = Vec::new();
    let succeeds_some_time =
        glimpses.iter().any(|glimpse| matches!(glimpse.outcome, "succeeds" | "undecided"));
    if let Some(now) = glimpses.first().filter(|now| matches!(now.outcome, "reverts" | "halts")) {
        warnings.push(if succeeds_some_time {
            format!("the call fails now ({}) and waits until it succeeds", now.text())
        } else {
            format!("the call fails now and at every time that was tried ({}): it waits until more than the clock changes", now.text())
        });
    }
    match repeats {
        Repeats::At("now") => warnings.push(
            "the call succeeds twice in a row: nothing in the target keeps executors from repeating it at once, \
             at your expense"
                .to_owned(),
        ),
        Repeats::At(when) => warnings.push(format!(
            "{when} the call succeeds twice in a row: unless what it catches up on comes to an end, executors \
             repeat it then at your expense"
        )),
        Repeats::Unknown { reason } => warnings.push(format!(
            "whether the call succeeds twice in a row could not be tried ({reason}): if it does, executors repeat it \
             at your expense"
        )),
        Repeats::Never => {}
    }
    match execution {
        // What the call does, what AUTO lacks, and that the Registry refuses to register it is told with more words.
        Execution::Fails { name: Some(name), .. }
            if ["CallFailed", "InsufficientAuto", "RequestMismatch"].contains(&name.as_str()) => {}
        Execution::Fails { text, .. } => warnings.push(format!("an execution would fail now: {text}")),
        Execution::Unknown { reason } => warnings.push(format!("an execution could not be tried: {reason}")),
        Execution::Executes { left_behind, .. } => warnings.extend(left_behind.iter().map(|left| {
            format!("an execution leaves {left}, where it is anybody's: have the target pay out to you")
        })),
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glimpse(outcome: &'static str) -> Glimpse {
        Glimpse { when: "now", after_seconds: 0, outcome, reason: None }
    }

    fn executes() -> Execution {
        Execution::Executes { charged_gas: 1, left_behind: Vec::new() }
    }

    fn fails(name: &str) -> Execution {
        Execution::Fails { name: Some(name.to_owned()), text: name.to_owned() }
    }

    #[test]
    fn a_call_that_waits_is_told_from_one_that_never_succeeds() {
        let warnings =
            misgivings(&[glimpse("reverts"), glimpse("succeeds")], &fails("CallFailed"), &Repeats::Never);
        assert!(warnings.len() == 1 && warnings[0].contains("waits until it succeeds"), "{warnings:?}");
        let warnings =
            misgivings(&[glimpse("reverts"), glimpse("reverts")], &fails("CallFailed"), &Repeats::Never);
        assert!(warnings.len() == 1 && warnings[0].contains("every time"), "{warnings:?}");
        assert!(misgivings(&[glimpse("succeeds")], &executes(), &Repeats::Never).is_empty());
    }

    #[test]
    fn repetition_and_failing_payment_are_warned_of() {
        assert!(
            misgivings(&[glimpse("succeeds")], &executes(), &Repeats::At("now"))[0]
                .contains("twice in a row")
        );
        let unknown = Repeats::Unknown { reason: "no state".to_owned() };
        assert!(
            misgivings(&[glimpse("succeeds")], &executes(), &unknown)[0]
                .contains("could not be tried (no state)")
        );
        let unpaid = misgivings(&[glimpse("succeeds")], &fails("InsufficientPayment"), &Repeats::Never);
        assert!(unpaid[0].contains("InsufficientPayment"), "{unpaid:?}");
        assert!(misgivings(&[glimpse("succeeds")], &fails("InsufficientAuto"), &Repeats::Never).is_empty());
    }

    #[test]
    fn missing_auto_names_the_command_that_helps() {
        let one = "1auto".parse::<Auto>().unwrap().0;
        let funds = |balance: u64, allowance: u64| AutoFunds {
            balance: one * U256::from(balance),
            allowance: one * U256::from(allowance),
        };
        let fee = one * U256::from(3);
        assert_eq!(auto_warning(funds(3, 3), fee), None);
        assert!(auto_warning(funds(9, 1), fee).unwrap().contains("errand auto approve 6auto"));
        assert!(auto_warning(funds(1, 9), fee).unwrap().contains("get AUTO"));
    }
}
