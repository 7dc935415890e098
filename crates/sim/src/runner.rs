//! Runs calls and whole transactions.

use crate::{
    config::SimConfig,
    hooks::{self, Ctx, Frames, Machine, MachineError},
    mirror::Mirror,
    outcome::{HaltReason, Outcome, Run, Unknown},
    reads::{AccountUse, EnvSeen, ReadSet},
    recorder::{Recorder, UNKNOWN_COINBASE},
    stage::{Act, Played, Stage},
};
use alloy::primitives::{B256, TxKind, U256};
use errand_types::{CallSpec, NextBlock, Slot};
use revm::{
    MainBuilder,
    context::{
        BlockEnv, CfgEnv, Context, Journal, LocalContextTr, TxEnv,
        result::{EVMError, ExecutionResult, HaltReason as RevmHalt},
    },
    context_interface::{
        JournalTr, block::BlobExcessGasAndPrice, journaled_state::account::JournaledAccountTr,
    },
    handler::{FrameResult, Handler},
    interpreter::{
        CallInput, CallInputs, CallScheme, CallValue, FrameInput, InstructionResult, SharedMemory,
        SuccessOrHalt, interpreter_action::FrameInit,
    },
};
use std::{collections::BTreeMap, fmt};

/// A state map that grew above this many accounts is given back instead of being cleared and used again.
const KEPT_ACCOUNTS: usize = 256;

/// Runs calls on a mirror, in the environment of one block.
///
/// Made once per simulate phase and thread (about two microseconds) and used for many runs; it cannot be sent to
/// another thread, the mirror can be shared by several. Runs do not see each other, and none changes the mirror.
pub struct Runner<'m> {
    machine: Machine<'m>,
}

impl fmt::Debug for Runner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner").field("block", &self.machine.ctx.block).finish_non_exhaustive()
    }
}

impl<'m> Runner<'m> {
    /// A runner on `mirror`, as if `block` were being built on it.
    pub fn new(config: &SimConfig, mirror: &'m Mirror, block: &NextBlock) -> Self {
        let mut cfg = CfgEnv::new_with_spec(config.fork.spec()).with_chain_id(config.chain_id);
        // The nonce is the origin's next one: which transactions wait before this one is not known here.
        cfg.disable_nonce_check = true;
        let recorder = Recorder::new(mirror, &config.foreign_precompiles);
        let mut machine = Context::<BlockEnv, TxEnv, CfgEnv, Recorder<'m>, Journal<Recorder<'m>>, ()>::new(
            recorder,
            config.fork.spec(),
        )
        .with_cfg(cfg)
        .with_block(block_env(block))
        .build_mainnet();
        hooks::install(&mut machine.instruction);
        let precompiles = machine.precompiles.warm_addresses();
        machine.ctx.journaled_state.warm_precompiles(precompiles);
        Self { machine }
    }

    /// Runs the frame of `spec.to` as if `spec.caller` called it inside a transaction of `spec.origin`.
    ///
    /// The frame gets `spec.gas_limit`, nothing is charged for the transaction around it, and `spec.value`
    /// comes from nowhere: no balance but the target's shows it. Caller and target are warm, everything else is
    /// cold. `transient` is what transient slots hold when the call starts.
    pub fn run_call(&mut self, spec: &CallSpec, transient: &[(Slot, U256)]) -> Run {
        let ctx = &mut self.machine.ctx;
        ctx.tx.caller = spec.origin;
        ctx.tx.gas_price = spec.gas_price;
        // The caller is warm without being read, by the place that transactions use for the coinbase.
        ctx.journaled_state.warm_coinbase_account(spec.caller);
        for (slot, value) in transient {
            ctx.journaled_state.tstore(slot.address, slot.key, *value);
        }
        let first = first_frame(ctx, spec);
        let outcome = match Frames::default().run_exec_loop(&mut self.machine, first) {
            Ok(result) => self.call_outcome(result),
            Err(error) => self.failure(error),
        };
        let run = self.run(outcome);
        self.reset();
        run
    }

    /// Runs a whole transaction of `spec.origin`, at its next nonce, as a block would: intrinsic gas, floor
    /// price of calldata, refunds, caps, and the origin's balance pays for gas and value. `spec.caller` does not
    /// matter.
    pub fn run_transaction(&mut self, spec: &CallSpec) -> Run {
        let run = self.transact(spec);
        self.reset();
        run
    }

    /// Runs transactions one after the other, each on what the ones before it left. What a run depends on
    /// includes what the runs before it do. Ends early after a transaction that cannot be included: the ones
    /// after it are [`Unknown::Predecessor`].
    pub fn run_transactions(&mut self, specs: &[CallSpec]) -> Vec<Run> {
        let mut runs = Vec::with_capacity(specs.len());
        let mut included = true;
        for spec in specs {
            let run = if included { self.transact(spec) } else { unknown(Unknown::Predecessor) };
            included &= !matches!(run.outcome, Outcome::Unknown(Unknown::Invalid(_)));
            runs.push(run);
        }
        self.reset();
        runs
    }

    /// Rehearses transactions, each on what the ones before it left. What a run depends on includes what the
    /// runs before it do. Ends like [`run_transactions`](Self::run_transactions).
    ///
    /// The origin of an act may be an account with code (EIP-3607), and its price below the base fee.
    pub fn rehearse(&mut self, acts: &[Act], stage: &Stage) -> Vec<Played> {
        let cfg = self.machine.ctx.cfg.clone();
        let block = self.machine.ctx.block.clone();
        let (cfg_mut, mut included) = (&mut self.machine.ctx.cfg, true);
        (cfg_mut.disable_eip3607, cfg_mut.disable_base_fee) = (true, true);
        if stage.is_unlimited {
            (cfg_mut.disable_block_gas_limit, cfg_mut.tx_gas_limit_cap) = (true, Some(u64::MAX));
        }
        let mut played = Vec::with_capacity(acts.len());
        for act in acts {
            if !included {
                let run = unknown(Unknown::Predecessor);
                played.push(Played { run, watched: Vec::new(), asked: BTreeMap::new() });
                continue;
            }
            self.machine.ctx.block = block_env(&act.block);
            self.credit(act);
            let mut frames = Frames::on(stage);
            let run = self.transact_on(&mut frames, &act.call);
            included = !matches!(run.outcome, Outcome::Unknown(Unknown::Invalid(_)));
            let asked = self.machine.ctx.journaled_state.database.take_asked();
            played.push(Played { run, watched: frames.watched(), asked });
        }
        self.reset();
        (self.machine.ctx.cfg, self.machine.ctx.block) = (cfg, block);
        played
    }

    /// Gives an act's origin its wei, as a transaction before it would.
    fn credit(&mut self, act: &Act) {
        if act.credit.is_zero() {
            return;
        }
        let journal = &mut self.machine.ctx.journaled_state;
        let Ok(mut origin) = journal.load_account_mut(act.call.origin);
        origin.data.incr_balance(act.credit);
        journal.commit_tx();
    }

    fn transact(&mut self, spec: &CallSpec) -> Run {
        self.transact_on(&mut Frames::default(), spec)
    }

    fn transact_on(&mut self, frames: &mut Frames<'m, '_>, spec: &CallSpec) -> Run {
        let ctx = &mut self.machine.ctx;
        ctx.tx = TxEnv {
            caller: spec.origin,
            gas_limit: spec.gas_limit,
            gas_price: spec.gas_price,
            kind: TxKind::Call(spec.to),
            value: spec.value,
            data: spec.data.clone(),
            chain_id: Some(ctx.cfg.chain_id),
            ..TxEnv::default()
        };
        let recorder = &mut ctx.journaled_state.database;
        recorder.note(spec.origin, AccountUse::BALANCE | AccountUse::NONCE);
        // Whether a block may include it, and what the origin has left meanwhile.
        recorder.see(EnvSeen::BASE_FEE | EnvSeen::GAS_LIMIT | EnvSeen::GAS_PRICE);
        let outcome = match frames.run(&mut self.machine) {
            Ok(result) => transaction_outcome(result),
            Err(error) => self.failure(error),
        };
        self.run(outcome)
    }

    fn call_outcome(&mut self, frame: FrameResult) -> Outcome {
        let result = frame.into_interpreter_result();
        let gas_used = result.gas.limit().saturating_sub(result.gas.remaining());
        match SuccessOrHalt::<RevmHalt>::from(result.result) {
            SuccessOrHalt::Success(_) => {
                let logs = self.machine.ctx.journaled_state.take_logs();
                Outcome::Success { gas_used, output: result.output, logs }
            }
            SuccessOrHalt::Revert => Outcome::Revert { gas_used, output: result.output },
            _ => Outcome::Halt { gas_used: result.gas.limit(), reason: HaltReason::from(result.result) },
        }
    }

    fn failure(&mut self, error: MachineError) -> Outcome {
        self.machine.ctx.error = Ok(());
        Outcome::Unknown(match error {
            EVMError::Transaction(error) => Unknown::Invalid(error.into()),
            other => Unknown::Internal(other.to_string()),
        })
    }

    fn run(&mut self, outcome: Outcome) -> Run {
        let recorder = &mut self.machine.ctx.journaled_state.database;
        if let Some(why) = recorder.unknown() {
            return unknown(why);
        }
        match outcome {
            Outcome::Unknown(why) => unknown(why),
            outcome => Run { outcome, reads: recorder.reads() },
        }
    }

    /// Leaves no trace of a run, but keeps the memory it used.
    fn reset(&mut self) {
        let ctx = &mut self.machine.ctx;
        ctx.local.clear();
        ctx.journaled_state.database.forget();
        let journal = &mut ctx.journaled_state.inner;
        if journal.state.capacity() > KEPT_ACCOUNTS {
            journal.finalize();
        } else {
            let mut state = std::mem::take(&mut journal.state);
            journal.finalize();
            state.clear();
            journal.state = state;
        }
        self.machine.frame_stack.clear();
    }
}

fn unknown(why: Unknown) -> Run {
    Run { outcome: Outcome::Unknown(why), reads: ReadSet::unknown() }
}

fn block_env(block: &NextBlock) -> BlockEnv {
    BlockEnv {
        number: U256::from(block.number),
        beneficiary: UNKNOWN_COINBASE,
        timestamp: U256::from(block.timestamp),
        gas_limit: block.gas_limit,
        basefee: block.base_fee,
        difficulty: U256::ZERO,
        prevrandao: Some(B256::ZERO),
        blob_excess_gas_and_price: Some(BlobExcessGasAndPrice { excess_blob_gas: 0, blob_gasprice: 1 }),
        slot_num: 0,
    }
}

/// The target's frame, with its value already there.
fn first_frame(ctx: &mut Ctx<'_>, spec: &CallSpec) -> FrameInit {
    let journal = &mut ctx.journaled_state;
    let Ok(mut target) = journal.load_account_mut_optional_code(spec.to, true);
    if !spec.value.is_zero() {
        target.data.incr_balance(spec.value);
    }
    let code = target.data.code().cloned().unwrap_or_default();
    let mut known_bytecode = (*target.data.code_hash(), code);
    if let Some(delegate) = known_bytecode.1.eip7702_address() {
        let Ok(delegate) = journal.load_account_with_code(delegate);
        let info = &delegate.data.info;
        known_bytecode = (info.code_hash, info.code.clone().unwrap_or_default());
    }
    FrameInit {
        depth: 0,
        memory: SharedMemory::new_with_buffer(ctx.local.shared_memory_buffer().clone()),
        frame_input: FrameInput::Call(Box::new(CallInputs {
            input: CallInput::Bytes(spec.data.clone()),
            return_memory_offset: 0..0,
            gas_limit: spec.gas_limit,
            bytecode_address: spec.to,
            known_bytecode,
            target_address: spec.to,
            caller: spec.caller,
            // Apparent: it has been credited above, and the caller's balance is to stay as it is.
            value: CallValue::Apparent(spec.value),
            scheme: CallScheme::Call,
            is_static: false,
            reservoir: 0,
            charged_new_account_state_gas: false,
        })),
    }
}

fn transaction_outcome(result: ExecutionResult) -> Outcome {
    match result {
        ExecutionResult::Success { gas, logs, output, .. } => {
            Outcome::Success { gas_used: gas.tx_gas_used(), output: output.into_data(), logs }
        }
        ExecutionResult::Revert { gas, output, .. } => {
            Outcome::Revert { gas_used: gas.tx_gas_used(), output }
        }
        ExecutionResult::Halt { reason, gas, .. } => Outcome::Halt {
            gas_used: gas.tx_gas_used(),
            reason: HaltReason::from(InstructionResult::from(reason)),
        },
    }
}
