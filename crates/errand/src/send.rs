//! Transactions of the user's own: shown, simulated, confirmed, sent, and waited for.

use crate::{
    abi::call_or_bytes_text,
    amount::{eth_text, gas_price_text},
    cli::Signing,
    output::{Progress, note, pairs},
    problem::Problem,
    revert::{revert_data, revert_text, would_revert},
    session::{Session, rpc_problem},
};
use alloy::{
    eips::{BlockId, eip1559::BaseFeeParams},
    network::EthereumWallet,
    primitives::{Address, B256, Bytes, U256},
    providers::Provider,
    rpc::types::{
        TransactionReceipt, TransactionRequest,
        simulate::{SimBlock, SimulatePayload},
    },
    signers::local::PrivateKeySigner,
};
use errand_journal::{Identity, Journal};
use errand_submit::{Builder, Outcome, SubmitConfig, SubmitError, Submitter, TxRequest, send_and_wait};
use errand_types::GasPrice;
use eyre::{Result, WrapErr};
use serde::Serialize;
use std::{
    io::{self, IsTerminal},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// How often the chain is asked whether a transaction is in a block.
const POLL: Duration = Duration::from_millis(250);
/// How long a transaction may take before its hash is told.
const PATIENCE: Duration = Duration::from_secs(2);
/// Added to an estimate of gas, in percent: state may change until the transaction is mined.
const GAS_MARGIN_PERCENT: u64 = 25;
/// Gas that is reckoned with for a step that cannot be simulated before the one ahead of it.
const FOLLOWING_GAS: u64 = 400_000;
/// The exit code of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;
/// Least and highest tip that is offered without being asked for, in wei per gas.
const TIP_BOUNDS: (u128, u128) = (1_000_000, 2_000_000_000);

/// One transaction to be signed.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// What it is for, as an infinitive: `approve AUTO for the StakeManager`.
    pub(crate) purpose: String,
    pub(crate) to: Address,
    pub(crate) data: Bytes,
    pub(crate) value: U256,
}

impl Step {
    /// A call without value.
    pub(crate) fn call(
        purpose: impl Into<String>,
        to: Address,
        call: &impl alloy::sol_types::SolCall,
    ) -> Self {
        Self { purpose: purpose.into(), to, data: call.abi_encode().into(), value: U256::ZERO }
    }
}

/// A transaction that is in a block.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sent {
    pub(crate) purpose: String,
    pub(crate) hash: B256,
    pub(crate) block: u64,
    pub(crate) gas_used: u64,
    /// Gas used times the price that was paid.
    pub(crate) cost_wei: String,
    #[serde(skip)]
    pub(crate) receipt: TransactionReceipt,
}

impl Sent {
    fn new(purpose: &str, receipt: TransactionReceipt) -> Self {
        let cost = U256::from(receipt.gas_used) * U256::from(receipt.effective_gas_price);
        Self {
            purpose: purpose.to_owned(),
            hash: receipt.transaction_hash,
            block: receipt.block_number.unwrap_or_default(),
            gas_used: receipt.gas_used,
            cost_wei: cost.to_string(),
            receipt,
        }
    }

    /// Hash, block, gas and cost for people.
    pub(crate) fn text(&self) -> String {
        let cost = U256::from(self.receipt.gas_used) * U256::from(self.receipt.effective_gas_price);
        pairs([
            ("transaction", self.hash.to_string()),
            ("block", self.block.to_string()),
            ("gas used", self.gas_used.to_string()),
            ("cost", eth_text(cost)),
        ])
    }
}

/// An account that signs on one chain.
pub(crate) struct Account<'a> {
    session: &'a Session,
    signing: &'a Signing,
    signer: PrivateKeySigner,
}

/// What a step may cost.
struct Offer {
    gas_limit: u64,
    /// Whether the gas was estimated; a later step's cannot always be.
    estimated: bool,
}

/// Prices for all steps.
struct Prices {
    tip: u128,
    /// Base fee of the next block plus tip: what has to be paid now.
    now: u128,
    /// The most that will be offered.
    limit: u128,
}

impl<'a> Account<'a> {
    /// Loads the key.
    pub(crate) fn load(session: &'a Session, signing: &'a Signing) -> Result<Self> {
        Ok(Self { session, signing, signer: signing.key.load()? })
    }

    pub(crate) const fn address(&self) -> Address {
        self.signer.address()
    }

    /// Shows the steps, asks, sends them one after the other and waits for each.
    ///
    /// # Errors
    /// Nothing was sent when a step would revert now, when the account cannot pay, or when the user declines.
    pub(crate) async fn send(&self, steps: &[Step]) -> Result<Vec<Sent>> {
        let progress = Progress::spinner("simulating");
        let prices = self.prices().await?;
        let offers = self.offers(steps).await?;
        self.check_funds(steps, &offers, &prices).await?;
        drop(progress);
        self.show(steps, &offers, &prices);
        self.confirm(steps.len())?;

        let submitter = self.submitter().await?;
        let mut sent = Vec::new();
        for (step, offer) in steps.iter().zip(&offers) {
            let gas_limit = if offer.estimated { offer.gas_limit } else { self.simulate(step).await? };
            let request = TxRequest {
                value: step.value,
                tip: Some(prices.tip),
                max_gas_price: prices.limit,
                ..TxRequest::call(step.to, step.data.clone(), gas_limit)
            };
            let receipt = self.send_one(&submitter, step, request).await;
            match receipt {
                Ok(receipt) => sent.push(Sent::new(&step.purpose, receipt)),
                Err(error) => return Err(self.send_problem(step, sent.len(), error).await),
            }
        }
        Ok(sent)
    }

    /// Sends one transaction and waits for it. Its hash is told when it takes a while: somebody who does not
    /// wait for the end needs it.
    async fn send_one(
        &self,
        submitter: &Submitter,
        step: &Step,
        request: TxRequest,
    ) -> Result<TransactionReceipt, SubmitError> {
        let progress = Progress::spinner(format!("waiting until it is in a block: {}", step.purpose));
        let sending = send_and_wait(submitter, &self.session.provider, request, POLL);
        tokio::pin!(sending);
        tokio::select! {
            receipt = &mut sending => return receipt,
            () = tokio::time::sleep(PATIENCE) => {}
        }
        let in_flight = submitter.in_flight().await.unwrap_or_default();
        for attempt in in_flight.iter().flat_map(|intent| intent.attempts.last()) {
            progress.suspend(|| note(format!("sent {}, waiting until it is in a block", attempt.tx_hash)));
        }
        sending.await
    }

    async fn submitter(&self) -> Result<Submitter> {
        let identity = Identity {
            chain_id: self.session.endpoint.chain_id(),
            // in memory only: it is never opened again, on this chain or another
            genesis: B256::ZERO,
            registry: Address::ZERO,
            account: self.address(),
        };
        let journal = Journal::in_memory(identity).wrap_err("no journal for the transaction")?;
        // One block is enough for a person who can look again; a keeper waits for more.
        let config = SubmitConfig { confirmations: 1, ..SubmitConfig::default() };
        let (submitter, _) =
            Builder::new(self.session.provider.clone(), EthereumWallet::from(self.signer.clone()), journal)
                .config(config)
                .start(self.session.head().await?)
                .await
                .wrap_err("the account cannot be used")?;
        Ok(submitter)
    }

    async fn prices(&self) -> Result<Prices> {
        let head = self.session.head().await?;
        let base: u128 = head.next_base_fee(BaseFeeParams::ethereum()).into();
        let proposed = self.session.provider.get_max_priority_fee_per_gas().await;
        // A node without an opinion on tips is no reason not to send.
        let (least, most) = TIP_BOUNDS;
        let tip = proposed.unwrap_or(least).clamp(least, most);
        let now = base + tip;
        let limit = match self.signing.max_gas_price {
            Some(GasPrice(limit)) if limit < now => {
                return Err(Problem::new(format!(
                    "the next block needs {}, --max-gas-price allows {}",
                    gas_price_text(now),
                    gas_price_text(limit)
                ))
                .hint("wait for lower prices or raise --max-gas-price")
                .into());
            }
            Some(GasPrice(limit)) => limit,
            // Room for the base fee to double and for a replacement or two.
            None => base * 3 + tip * 2,
        };
        Ok(Prices { tip: tip.min(limit), now, limit })
    }

    /// Simulates the steps. Later ones rest on what earlier ones change, which a node has to be able to
    /// simulate; where it cannot, they are simulated when it is their turn.
    async fn offers(&self, steps: &[Step]) -> Result<Vec<Offer>> {
        if let [step] = steps {
            return Ok(vec![Offer { gas_limit: self.simulate(step).await?, estimated: true }]);
        }
        let calls: Vec<_> = steps.iter().map(|step| self.call_of(step)).collect();
        let payload = SimulatePayload::default().extend(SimBlock::default().extend_calls(calls));
        let Ok(blocks) = self.session.provider.simulate(&payload).await else {
            let mut offers = Vec::new();
            for (index, step) in steps.iter().enumerate() {
                let estimated = index == 0;
                let gas_limit = if estimated { self.simulate(step).await? } else { FOLLOWING_GAS };
                offers.push(Offer { gas_limit, estimated });
            }
            return Ok(offers);
        };
        let results = blocks.iter().flat_map(|block| &block.calls);
        steps
            .iter()
            .zip(results)
            .map(|(step, result)| match &result.error {
                Some(_) => Err(would_revert("signed", &step.purpose, &result.return_data).into()),
                None => Ok(Offer { gas_limit: with_margin(result.gas_used), estimated: true }),
            })
            .collect()
    }

    fn call_of(&self, step: &Step) -> TransactionRequest {
        TransactionRequest::default()
            .from(self.address())
            .to(step.to)
            .value(step.value)
            .input(step.data.clone().into())
    }

    /// Runs a step on the current state and returns the gas to offer.
    async fn simulate(&self, step: &Step) -> Result<u64> {
        let call = self.call_of(step);
        let failed = |error: alloy::transports::TransportError| match revert_data(&error) {
            Some(data) => would_revert("signed", &step.purpose, &data).into(),
            None => rpc_problem(&format!("a simulation (to {})", step.purpose), &error),
        };
        // A node would say less clearly that the value is missing.
        self.check_value(step.value).await?;
        self.session.provider.call(call.clone()).await.map_err(failed)?;
        let estimate = self.session.provider.estimate_gas(call).await.map_err(failed)?;
        Ok(with_margin(estimate))
    }

    /// Refuses a value that the account does not have.
    pub(crate) async fn check_value(&self, value: U256) -> Result<()> {
        if value.is_zero() {
            return Ok(());
        }
        let balance = self.session.balance(self.address()).await?;
        if balance < value { Err(self.no_funds(balance, value)) } else { Ok(()) }
    }

    async fn check_funds(&self, steps: &[Step], offers: &[Offer], prices: &Prices) -> Result<()> {
        let needed = steps.iter().zip(offers).fold(U256::ZERO, |sum, (step, offer)| {
            sum + step.value + U256::from(offer.gas_limit) * U256::from(prices.now)
        });
        let balance = self.session.balance(self.address()).await?;
        if balance < needed { Err(self.no_funds(balance, needed)) } else { Ok(()) }
    }

    fn no_funds(&self, balance: U256, needed: U256) -> eyre::Report {
        Problem::new(format!(
            "the account {} has {}, and {} is needed",
            self.address(),
            eth_text(balance),
            eth_text(needed)
        ))
        .hint("send ETH to the account, or use another one")
        .into()
    }

    fn show(&self, steps: &[Step], offers: &[Offer], prices: &Prices) {
        for (index, (step, offer)) in steps.iter().zip(offers).enumerate() {
            let most = step.value + U256::from(offer.gas_limit) * U256::from(prices.limit);
            let guess = if offer.estimated { "" } else { " (estimated again when it is its turn)" };
            if steps.len() > 1 {
                note(format!("To sign, {} of {}: {}", index + 1, steps.len(), step.purpose));
            } else {
                note(format!("To sign: {}", step.purpose));
            }
            note(pairs([
                ("  chain", self.session.endpoint.chain_id().to_string()),
                ("  from", self.address().to_string()),
                ("  to", self.session.address_text(step.to)),
                ("  call", call_or_bytes_text(&step.data)),
                ("  value", eth_text(step.value)),
                (
                    "  gas",
                    format!("up to {}{guess}, at up to {}", offer.gas_limit, gas_price_text(prices.limit)),
                ),
                ("  cost", format!("at most {}, value included", eth_text(most))),
            ]));
        }
    }

    fn confirm(&self, steps: usize) -> Result<()> {
        if self.signing.yes {
            return Ok(());
        }
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Err(Problem::usage("nothing was signed: there is no terminal to ask for your consent")
                .hint("add --yes to sign without being asked")
                .into());
        }
        let prompt =
            if steps > 1 { format!("Sign and send these {steps}?") } else { "Sign and send?".to_owned() };
        let question = dialoguer::Confirm::new().with_prompt(prompt).default(false);
        let agreed = match survive_interrupt(|| question.interact()) {
            Ok(agreed) => agreed,
            Err(_) => {
                // The question hides it.
                let _ = dialoguer::console::Term::stderr().show_cursor();
                return Err(Problem::new("nothing was signed: you gave no answer").into());
            }
        };
        if agreed { Ok(()) } else { Err(Problem::new("nothing was signed: you declined").into()) }
    }

    /// Says what became of a step that did not succeed, and of those before it.
    async fn send_problem(&self, step: &Step, done: usize, error: SubmitError) -> eyre::Report {
        let before = match done {
            0 => String::new(),
            _ => format!(" ({done} transaction(s) before it succeeded)"),
        };
        let (message, hint) = match &error {
            SubmitError::NotExecuted { outcome: Outcome::Reverted, tx_hash } => {
                let reason = self.reason_of(step, *tx_hash).await;
                (
                    format!("transaction {tx_hash} reverted (to {}): {reason}", step.purpose),
                    "its gas is spent; the state has changed since it was simulated",
                )
            }
            SubmitError::NotExecuted { outcome: Outcome::UsedByOther, .. } => (
                format!("another transaction of {} took the nonce (to {})", self.address(), step.purpose),
                "another program uses this key: stop it, or use another account, and try again",
            ),
            SubmitError::TooExpensive { .. } => (
                format!("not sent (to {}): {error}", step.purpose),
                "wait for lower prices or raise --max-gas-price",
            ),
            _ => (
                format!("not sent (to {}): {error}", step.purpose),
                "look at the account before you try again",
            ),
        };
        Problem::new(format!("{message}{before}")).hint(hint).into()
    }

    /// Runs a reverted transaction again on the state before its block.
    async fn reason_of(&self, step: &Step, hash: B256) -> String {
        let receipt = self.session.provider.get_transaction_receipt(hash).await.ok().flatten();
        let Some(block) = receipt.and_then(|receipt| receipt.block_number) else {
            return "the reason is not known".to_owned();
        };
        let before = BlockId::number(block.saturating_sub(1));
        match self.session.provider.call(self.call_of(step)).block(before).await {
            Err(error) => match revert_data(&error) {
                Some(data) => revert_text(&data),
                None => "the reason is not known".to_owned(),
            },
            Ok(_) => "it would have succeeded on the state before its block".to_owned(),
        }
    }
}

/// Asks something for which Ctrl-C is an answer and no end; once it is answered, Ctrl-C ends the program again.
fn survive_interrupt<T, E>(ask: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let is_answered = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&is_answered);
    tokio::spawn(async move {
        // A handler stays for good: from here on it is this that ends the program.
        while tokio::signal::ctrl_c().await.is_ok() {
            if seen.load(Ordering::SeqCst) {
                std::process::exit(INTERRUPTED);
            }
        }
    });
    let answer = ask()?;
    is_answered.store(true, Ordering::SeqCst);
    Ok(answer)
}

const fn with_margin(gas: u64) -> u64 {
    gas.saturating_add(gas / 100 * GAS_MARGIN_PERCENT)
}
