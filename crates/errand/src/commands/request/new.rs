//! `errand request new`

use super::warnings::{auto_warning, misgivings};
use crate::{
    abi::call_or_bytes_text,
    amount::{auto_text, eth_text, gas_price_text},
    calldata::{encode_call, input_kind},
    cli::{Global, Signing},
    commands::{auto::AutoFunds, sent_text},
    leftovers,
    output::{Progress, note, pairs, warn},
    preview::{Execution, Glimpse, Preview, Repeats, register_call},
    problem::Problem,
    send::{Account, Sent, Step},
    session::Session,
};
use alloy::{
    primitives::{Address, Bytes, U256, aliases::U112},
    providers::Provider,
    sol_types::SolEvent,
};
use clap::{Args, ValueEnum, builder::BoolishValueParser};
use errand_bindings::IRegistry::{self, HashedReqAdded};
use errand_keeper::{Outstanding, Terms, pricing};
use errand_sim::Fork;
use errand_types::{Eth, NextBlock, RequestId};
use eyre::{Result, WrapErr, eyre};
use serde_json::{Value, json};

/// Gas units that are reckoned with for an execution that cannot be simulated yet, because its condition does
/// not hold.
const ASSUMED_GAS: u64 = 300_000;
/// Added to simulated gas, in percent.
const GAS_MARGIN_PERCENT: u64 = 20;
/// How many times today's base fee a deposit covers.
const BASE_FEE_MARGIN: u128 = 3;

/// Register a call
///
/// It is made as soon as it succeeds: a call that can only succeed later waits, a
/// call that can succeed now is executed at once.
///
/// The fee is the gas it took, plus 30 % in ETH out of the deposit, or plus 10 % in AUTO out of your wallet at
/// the time of execution. What is left of a deposit comes back.
///
/// Before anything is signed the call is tried: on the state of now, and as if it were an hour, a day and thirty
/// days later. What looks wrong is told as a warning.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  errand request new --target 0x5FbD… --call 'ping()' --account alice

  errand request new --target 0x5FbD… --account alice --pay auto \\
      --call 'pay(address,uint256)' 0x7099… 1ether

  The target learns who you are, because its first input is proven:
  errand request new --target 0x5FbD… --account alice --verify-user \\
      --call 'buy(address,uint256)' 0xf39F… 5 --value 0.1ether

Arrays are written [1,2], tuples (1,0xab), numbers also with a unit (1ether).
Quote what your shell would read.")]
pub(crate) struct New {
    /// Contract to call
    #[arg(long, value_name = "ADDRESS", env = "ERRAND_TARGET", value_parser = crate::calldata::address)]
    target: Address,
    /// Function to call, as in 'pay(address,uint256)'; its arguments follow behind
    #[arg(
        long,
        value_name = "SIGNATURE",
        env = "ERRAND_CALL",
        required_unless_present = "data",
        conflicts_with = "data"
    )]
    call: Option<String>,
    /// Call data in hexadecimal, instead of --call
    #[arg(long, value_name = "HEX", env = "ERRAND_DATA")]
    data: Option<Bytes>,
    /// Arguments of the function, one for each of its inputs
    #[arg(value_name = "ARGS", allow_negative_numbers = true)]
    arguments: Vec<String>,
    /// ETH to send along with the call, such as 0.1ether
    #[arg(
        long,
        value_name = "AMOUNT",
        env = "ERRAND_VALUE",
        allow_hyphen_values = true,
        default_value = "0"
    )]
    value: Eth,
    /// ETH to deposit, value included. Default: the value and, with --pay eth, an estimate of the fee at three
    /// times today's base fee; with --insert-fee the call pays its fee itself, so that the value is enough
    #[arg(long, value_name = "AMOUNT", env = "ERRAND_DEPOSIT", allow_hyphen_values = true)]
    deposit: Option<Eth>,
    /// What pays the executor
    #[arg(long, value_name = "CURRENCY", env = "ERRAND_PAY", default_value = "eth")]
    pay: Pay,
    /// The first input is your address, and the target may rely on that
    #[arg(long, env = "ERRAND_VERIFY_USER", value_parser = BoolishValueParser::new())]
    verify_user: bool,
    /// Write the fee into the call, whose target pays it: second input with --verify-user, else first
    #[arg(long, env = "ERRAND_INSERT_FEE", value_parser = BoolishValueParser::new())]
    insert_fee: bool,
    /// Stay registered after an execution. Takes no deposit: pays in AUTO, or with ETH that the target sends
    #[arg(long, env = "ERRAND_RECURRING", value_parser = BoolishValueParser::new())]
    recurring: bool,
    /// Application that brought the Request, told in its logs
    #[arg(long, value_name = "ADDRESS", env = "ERRAND_REFERER", value_parser = crate::calldata::address, default_value_t = Address::ZERO, hide_default_value = true)]
    referer: Address,
    /// Gas that the execution is charged, for the estimate of the fee, where it cannot be simulated yet
    #[arg(long, value_name = "GAS", env = "ERRAND_ASSUME_GAS", default_value_t = ASSUMED_GAS)]
    assume_gas: u64,
    /// Rules of the chain's next block: cancun, prague or osaka
    #[arg(long, value_name = "FORK", env = "ERRAND_FORK", default_value = "osaka")]
    fork: Fork,
    #[command(flatten)]
    signing: Signing,
}

/// The currency of a fee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Pay {
    Eth,
    Auto,
}

/// What a Request is expected to cost.
struct Estimate {
    gas: u64,
    /// From a simulation, and not assumed.
    is_simulated: bool,
    gas_price: u128,
    /// Wei, or AUTO base units; `None` when AUTO has no price.
    fee: Option<U256>,
    in_auto: bool,
}

impl Estimate {
    fn text(&self) -> String {
        let fee = match self.fee {
            Some(fee) if self.in_auto => auto_text(fee),
            Some(fee) => eth_text(fee),
            None => "not known, because the oracle has no price".to_owned(),
        };
        let source = if self.is_simulated { "simulated" } else { "assumed" };
        format!("about {fee}: {} gas ({source}) at up to {}", self.gas, gas_price_text(self.gas_price))
    }
}

/// A call that was tried.
struct Tried {
    /// As it would be registered now.
    entry: Outstanding,
    estimate: Estimate,
    glimpses: Vec<Glimpse>,
    warnings: Vec<String>,
}

impl Tried {
    /// It was registered as `id`.
    fn json(&self, id: RequestId, sent: &[Sent]) -> Value {
        let Self { entry, estimate, glimpses, warnings } = self;
        let added_at = sent.last().map_or(0, |sent| sent.block);
        json!({
            "id": id,
            "request": super::entry_json(&Outstanding { id, added_at, ..entry.clone() }),
            "estimate": {
                "gas": estimate.gas,
                "isSimulated": estimate.is_simulated,
                "gasPriceWei": estimate.gas_price.to_string(),
                (if estimate.in_auto { "feeAutoBase" } else { "feeWei" }): estimate.fee.map(|fee| fee.to_string()),
            },
            "preview": glimpses,
            "warnings": warnings,
            "transactions": sent,
        })
    }
}

impl New {
    pub(super) async fn run(&self, global: &Global) -> Result<()> {
        let call_data = self.call_data()?;
        self.check_combination()?;
        let session = Session::open(global).await?;
        let account = Account::load(&session, &self.signing)?;
        let user = account.address();
        self.check_call_data(&call_data, user)?;
        self.check_target(&session).await?;

        let suspicions = self.suspicions(&session, &call_data, user);
        let progress = Progress::spinner("trying the call");
        let mut tried = self.tried(&session, &account, call_data).await?;
        drop(progress);
        tried.warnings.splice(0..0, suspicions);
        tried.warnings.extend(self.payment_warning(&session, &tried.entry, &tried.estimate).await?);

        let glimpses = tried.glimpses.iter().map(|glimpse| (glimpse.when, glimpse.text()));
        note(pairs(glimpses.chain([("fee", tried.estimate.text())])));
        tried.warnings.iter().for_each(warn);
        let request = &tried.entry.request;
        let step = Step {
            purpose: format!("register a call of {}", call_or_bytes_text(&request.callData)),
            to: session.contracts.registry,
            data: register_call(request),
            value: U256::from(request.initEthSent),
        };
        let sent = account.send(&[step]).await?;
        let id = registered(&sent)?;
        session.format.print(&tried.json(id, &sent), || {
            format!(
                "Request {id} is registered.\n{}\n\nFollow it with `errand request why {id}`.",
                sent_text(&sent)
            )
        })
    }

    /// Tries the call as a Request, and sets its deposit by what that takes.
    async fn tried(&self, session: &Session, account: &Account<'_>, call_data: Bytes) -> Result<Tried> {
        let user = account.address();
        let mut preview = Preview::open(session, self.fork, user).await?;
        let mut entry = self.entry(preview.next_id().await?, user, call_data)?;
        let assumed = self.estimate(preview.terms(), preview.next(), self.assume_gas, false);
        self.set_deposit(&mut entry, &assumed)?;
        // A try of what cannot be paid would say nothing about the call.
        account.check_value(U256::from(entry.request.initEthSent)).await?;
        let glimpses = preview.glimpses(&entry).await?;
        let execution = preview.execution(&entry).await?;
        // What is missing in AUTO can still be brought, and is no measure of the call.
        let call = match &execution {
            Execution::Fails { name: Some(name), .. } if name == "InsufficientAuto" => {
                preview.prepaid(&entry, 1).await?
            }
            _ => execution.clone(),
        };
        let repeats = if self.recurring { preview.repeats(&entry).await? } else { Repeats::Never };
        let estimate = match call {
            Execution::Executes { charged_gas, .. } => {
                let gas = charged_gas + charged_gas / 100 * GAS_MARGIN_PERCENT;
                self.estimate(preview.terms(), preview.next(), gas, true)
            }
            Execution::Fails { .. } | Execution::Unknown { .. } => assumed,
        };
        self.set_deposit(&mut entry, &estimate)?;
        let warnings = misgivings(&glimpses, &execution, &repeats).into_iter().collect();
        Ok(Tried { entry, estimate, glimpses, warnings })
    }

    fn call_data(&self) -> Result<Bytes> {
        match (&self.call, &self.data) {
            (Some(signature), _) => encode_call(signature, &self.arguments)
                .map_err(|error| Problem::usage(error.to_string()).hint(error.hint()).into()),
            (None, Some(data)) if self.arguments.is_empty() => Ok(data.clone()),
            (None, Some(_)) => Err(Problem::usage("--data is complete: it takes no arguments behind it")
                .hint("use --call to have arguments encoded")
                .into()),
            (None, None) => Err(Problem::usage("no call: neither --call nor --data is given").into()),
        }
    }

    /// Refuses what the Registry would refuse, with more words.
    fn check_combination(&self) -> Result<()> {
        let Eth(value) = self.value;
        let deposit = self.deposit.map(|Eth(deposit)| deposit);
        let problem = if self.recurring
            && (!value.is_zero() || deposit.is_some_and(|deposit| !deposit.is_zero()))
        {
            Some((
                "a recurring Request takes no ETH",
                "drop --value and --deposit; it pays with --pay auto, or with ETH that its target sends",
            ))
        } else if self.pay == Pay::Auto && deposit.is_some_and(|deposit| deposit != value) {
            Some(("a Request that pays in AUTO deposits its --value and nothing else", "drop --deposit"))
        } else if deposit.is_some_and(|deposit| deposit < value) {
            Some(("the deposit is smaller than the value that is sent along", "raise --deposit or drop it"))
        } else {
            None
        };
        match problem {
            Some((message, hint)) => Err(Problem::usage(message).hint(hint).into()),
            None => Ok(()),
        }
    }

    fn check_call_data(&self, call_data: &Bytes, user: Address) -> Result<()> {
        if self.verify_user && first_word(call_data) != Some(user.into_word().0) {
            return Err(Problem::usage(format!(
                "--verify-user needs your address {user} as the first input of the call"
            ))
            .hint("pass it as the first argument, or sign with the key of the address that is there")
            .into());
        }
        let needed = if self.verify_user { 68 } else { 36 };
        if self.insert_fee && call_data.len() < needed {
            let position = if self.verify_user { "second" } else { "first" };
            return Err(Problem::usage(format!(
                "--insert-fee needs a {position} input to write the fee into"
            ))
            .hint("pass any number there, such as 0: it is replaced")
            .into());
        }
        // Whatever stands there is lost: an address or an offset would be turned into a number.
        let index = usize::from(self.verify_user);
        let kind = self.call.as_deref().filter(|_| self.insert_fee).and_then(|call| input_kind(call, index));
        if let Some(kind) = kind.filter(|kind| kind != "uint256") {
            return Err(Problem::usage(format!(
                "--insert-fee writes the fee over input {}, which is {kind} and not uint256",
                index + 1
            ))
            .hint(
                "the fee is the first input of such a function, behind the user where --verify-user is given",
            )
            .into());
        }
        Ok(())
    }

    async fn check_target(&self, session: &Session) -> Result<()> {
        let code = session.provider.get_code_at(self.target).await.wrap_err("the node does not tell code")?;
        if code.is_empty() {
            return Err(Problem::new(format!("there is no code at the target {}", self.target))
                .hint("a call to an address without code is never executed: check the address and the chain")
                .into());
        }
        Ok(())
    }

    /// What looks like a mistake without trying it.
    fn suspicions(&self, session: &Session, call_data: &Bytes, user: Address) -> Vec<String> {
        let mut warnings = Vec::new();
        let forwarder = session.contracts.forwarder(self.verify_user, self.insert_fee);
        if leftovers::is_approval(call_data) {
            warnings.push(format!(
                "the call comes from the forwarder {forwarder}, so the approval would be the forwarder's and not \
                 yours: anybody can use it. Approve from your own account"
            ));
        }
        if leftovers::names(call_data, forwarder) {
            warnings.push(format!(
                "the call names the forwarder {forwarder}: tokens that it is sent there are anybody's"
            ));
        }
        if !self.verify_user && first_word(call_data) == Some(user.into_word().0) {
            warnings.push(
                "the first input is your address, but without --verify-user the target cannot know that it was \
                 you who registered the call"
                    .to_owned(),
            );
        }
        if self.recurring && self.pay == Pay::Eth && !self.insert_fee {
            warnings.push(
                "a recurring Request that pays in ETH has no deposit: its target has to send the fee during the \
                 call, and without --insert-fee it does not know how much that is"
                    .to_owned(),
            );
        }
        warnings
    }

    /// The Request as it would be registered now, without its deposit.
    fn entry(&self, id: RequestId, user: Address, call_data: Bytes) -> Result<Outstanding> {
        let Eth(value) = self.value;
        let request = IRegistry::Request {
            user,
            target: self.target,
            referer: self.referer,
            callData: call_data,
            initEthSent: U112::ZERO,
            ethForCall: amount_of_request(value)?,
            verifyUser: self.verify_user,
            insertFeeAmount: self.insert_fee,
            payWithAUTO: self.pay == Pay::Auto,
            isAlive: self.recurring,
        };
        Ok(Outstanding { id, request, added_at: 0, last_executed_at: None })
    }

    fn set_deposit(&self, entry: &mut Outstanding, estimate: &Estimate) -> Result<()> {
        let Eth(value) = self.value;
        let deposit = match self.deposit {
            Some(Eth(deposit)) => deposit,
            // A call that is told its fee pays it.
            None if self.recurring || self.insert_fee || self.pay == Pay::Auto => value,
            None => value.saturating_add(estimate.fee.unwrap_or_default()),
        };
        entry.request.initEthSent = amount_of_request(deposit)?;
        Ok(())
    }

    fn estimate(&self, terms: &Terms, next: &NextBlock, gas: u64, is_simulated: bool) -> Estimate {
        let gas_price = u128::from(next.base_fee) * BASE_FEE_MARGIN + terms.fees.tipCapWei.to::<u128>();
        let in_auto = self.pay == Pay::Auto;
        let fee = if in_auto {
            terms.auto_per_eth.map(|per_eth| pricing::auto_fee(U256::from(gas), gas_price, per_eth))
        } else {
            Some(pricing::eth_fee(U256::from(gas), gas_price))
        };
        Estimate { gas, is_simulated, gas_price, fee, in_auto }
    }

    /// Whether what is there to pay with covers the estimate.
    async fn payment_warning(
        &self,
        session: &Session,
        entry: &Outstanding,
        estimate: &Estimate,
    ) -> Result<Option<String>> {
        let Some(fee) = estimate.fee else {
            return Ok(Some(
                "AUTO has no price now: nothing that pays in AUTO is executed until it has one".to_owned(),
            ));
        };
        if self.pay == Pay::Auto {
            let funds = AutoFunds::read(session, entry.request.user).await?;
            return Ok(auto_warning(funds, fee));
        }
        let Some(Eth(deposit)) = self.deposit else { return Ok(None) };
        let Eth(value) = self.value;
        let left = deposit.saturating_sub(value);
        let pays_itself = self.insert_fee || self.recurring;
        Ok((left < fee && !pays_itself).then(|| {
            format!(
                "the deposit leaves {} for a fee of about {}: leave --deposit out to have it computed",
                eth_text(left),
                eth_text(fee)
            )
        }))
    }
}

/// Amounts of a Request have 112 bits.
fn amount_of_request(amount: U256) -> Result<U112> {
    U112::checked_from_limbs_slice(amount.as_limbs())
        .ok_or_else(|| Problem::usage(format!("{} is more than a Request can hold", eth_text(amount))).into())
}

fn first_word(call_data: &Bytes) -> Option<[u8; 32]> {
    call_data.get(4..36)?.try_into().ok()
}

/// The number that the Registry gave.
fn registered(sent: &[Sent]) -> Result<RequestId> {
    sent.iter()
        .flat_map(|sent| sent.receipt.inner.logs())
        .filter_map(|log| HashedReqAdded::decode_log(&log.inner).ok())
        .map(|event| RequestId(event.id.saturating_to()))
        .next()
        .ok_or_else(|| eyre!("the transaction succeeded, but the Registry logged no Request"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_beyond_112_bits_are_refused() {
        assert_eq!(amount_of_request(U256::from(7)).unwrap(), U112::from(7));
        assert!(amount_of_request(U256::from(1) << 112).is_err());
    }
}
