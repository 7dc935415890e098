//! What the machine is made to report beyond the keys it asks for.
//!
//! Opcodes that look at the environment or at a balance are replaced in the instruction table by ones that
//! leave a note first; calls and creations leave theirs when their frame starts. An ordinary opcode pays nothing
//! for it.

use crate::{
    outcome::Unknown,
    reads::{AccountUse, EnvSeen},
    recorder::Recorder,
    stage::{Stage, WatchedCall},
};
use alloy::primitives::{Address, Bytes, Selector};
use revm::{
    Context, Journal, MainnetEvm,
    bytecode::opcode,
    context::{
        BlockEnv, CfgEnv, TxEnv,
        result::{EVMError, HaltReason},
    },
    handler::{EvmTr, FrameResult, Handler, ItemOrResult, evm::FrameTr, instructions::EthInstructions},
    interpreter::{
        CallInputs, CallOutcome, CallScheme, FrameInput, Gas, InstructionContext, InstructionExecResult,
        InstructionResult, InterpreterResult,
        instructions::{block_info, host, system, tx_info},
        interpreter::EthInterpreter,
        interpreter_action::FrameInit,
        interpreter_types::{InputsTr, Jumps},
    },
};
use std::{convert::Infallible, marker::PhantomData};

pub(crate) type Ctx<'m> = Context<BlockEnv, TxEnv, CfgEnv, Recorder<'m>, Journal<Recorder<'m>>, ()>;
pub(crate) type Machine<'m> = MainnetEvm<Ctx<'m>>;
pub(crate) type MachineError = EVMError<Infallible>;
type Opcode<'a, 'm> = InstructionContext<'a, Ctx<'m>, EthInterpreter>;

/// Puts the reporting opcodes in. Their gas stays what it is.
pub(crate) fn install<'m>(instructions: &mut EthInstructions<EthInterpreter, Ctx<'m>>) {
    macro_rules! replace {
        ($($opcode:ident => $function:expr),* $(,)?) => {{
            $(if let Some(entry) = instructions.instruction_table_mut().get_mut(usize::from(opcode::$opcode)) {
                *entry = revm::interpreter::Instruction::new($function);
            })*
        }};
    }
    replace! {
        TIMESTAMP => |op: Opcode<'_, 'm>| see(op, EnvSeen::TIMESTAMP, block_info::timestamp),
        NUMBER => |op: Opcode<'_, 'm>| see(op, EnvSeen::NUMBER, block_info::block_number),
        BASEFEE => |op: Opcode<'_, 'm>| see(op, EnvSeen::BASE_FEE, block_info::basefee),
        GASLIMIT => |op: Opcode<'_, 'm>| see(op, EnvSeen::GAS_LIMIT, block_info::gaslimit),
        DIFFICULTY => |op: Opcode<'_, 'm>| see(op, EnvSeen::PREV_RANDAO, block_info::difficulty),
        COINBASE => |op: Opcode<'_, 'm>| see(op, EnvSeen::COINBASE, block_info::coinbase),
        BLOBBASEFEE => |op: Opcode<'_, 'm>| see(op, EnvSeen::BLOB_BASE_FEE, block_info::blob_basefee),
        BLOCKHASH => |op: Opcode<'_, 'm>| see(op, EnvSeen::BLOCK_HASH, host::blockhash),
        GASPRICE => |op: Opcode<'_, 'm>| see(op, EnvSeen::GAS_PRICE, tx_info::gasprice),
        ORIGIN => |op: Opcode<'_, 'm>| {
            if let Some(asked) = constructor(&op) {
                op.host.journaled_state.database.asked(asked).origin = true;
            }
            see(op, EnvSeen::ORIGIN, tx_info::origin)
        },
        CALLER => |op: Opcode<'_, 'm>| {
            if let Some(asked) = constructor(&op) {
                op.host.journaled_state.database.asked(asked).caller = true;
            }
            system::caller(op)
        },
        GAS => gas,
        BALANCE => balance,
        SELFBALANCE => |op: Opcode<'_, 'm>| own_balance(op, host::selfbalance),
        SELFDESTRUCT => |op: Opcode<'_, 'm>| own_balance(op, host::selfdestruct),
    }
}

fn see<'a, 'm>(
    op: Opcode<'a, 'm>,
    seen: EnvSeen,
    then: fn(Opcode<'a, 'm>) -> InstructionExecResult,
) -> InstructionExecResult {
    op.host.journaled_state.database.see(seen);
    then(op)
}

/// What is being made, if it is a constructor that runs.
fn constructor(op: &Opcode<'_, '_>) -> Option<Address> {
    let input = &op.interpreter.input;
    input.bytecode_address().is_none().then(|| input.target_address())
}

/// The gas operand of a call is pushed right before it: "all there is", which shows nothing.
fn gas(op: Opcode<'_, '_>) -> InstructionExecResult {
    let next = op.interpreter.bytecode.opcode();
    if !matches!(next, opcode::CALL | opcode::CALLCODE | opcode::DELEGATECALL | opcode::STATICCALL) {
        op.host.journaled_state.database.see(EnvSeen::GAS);
    }
    system::gas(op)
}

fn balance(op: Opcode<'_, '_>) -> InstructionExecResult {
    if let Some(word) = op.interpreter.stack.data().last() {
        let address = Address::from_word((*word).into());
        op.host.journaled_state.database.note(address, AccountUse::BALANCE);
    }
    host::balance(op)
}

fn own_balance<'a, 'm>(
    op: Opcode<'a, 'm>,
    then: fn(Opcode<'a, 'm>) -> InstructionExecResult,
) -> InstructionExecResult {
    let address = op.interpreter.input.target_address();
    op.host.journaled_state.database.note(address, AccountUse::BALANCE);
    then(op)
}

/// Mainnet's rules, with a note for each frame.
#[derive(Debug, Default)]
pub(crate) struct Frames<'m, 's> {
    machine: PhantomData<Machine<'m>>,
    /// `None` outside rehearsals, which alone pay for what is done with it.
    director: Option<Director<'s>>,
}

impl<'s> Frames<'_, 's> {
    pub(crate) fn on(stage: &'s Stage) -> Self {
        let director = Director { stage, open: Vec::new(), watched: Vec::new(), refusal: None };
        Self { machine: PhantomData, director: Some(director) }
    }

    /// The calls that the stage watches, in the order in which they ended.
    pub(crate) fn watched(self) -> Vec<WatchedCall> {
        self.director.map(|director| director.watched).unwrap_or_default()
    }
}

/// Measures what a stage watches, and gives its answer.
#[derive(Debug)]
struct Director<'s> {
    stage: &'s Stage,
    /// One for each frame that has not ended; the function and the gas of one that is watched.
    open: Vec<Option<(Selector, u64)>>,
    watched: Vec<WatchedCall>,
    /// What the last constructor reverted with since a watched call began.
    refusal: Option<Bytes>,
}

impl Director<'_> {
    /// A frame starts; what it returns at once, if it is not to run.
    fn start(&mut self, ctx: &Ctx<'_>, init: &FrameInit) -> Option<FrameResult> {
        let FrameInput::Call(call) = &init.frame_input else {
            self.open.push(None);
            return None;
        };
        let selector = selector_of(ctx, call);
        let stage = self.stage;
        let is_watched = call.scheme == CallScheme::Call
            && call.target_address == stage.watched
            && stage.callers.contains(&call.caller);
        self.open.push(is_watched.then_some((selector, call.gas_limit)));
        if is_watched {
            self.refusal = None;
        }
        let answer = stage.answer.as_ref()?;
        if call.target_address != answer.contract || selector != answer.selector {
            return None;
        }
        let mut gas = Gas::new(call.gas_limit);
        let result = if gas.record_regular_cost(answer.gas) {
            InterpreterResult { result: InstructionResult::Return, output: answer.output.clone(), gas }
        } else {
            InterpreterResult::new_oog(call.gas_limit, 0)
        };
        Some(FrameResult::Call(CallOutcome::new(result, call.return_memory_offset.clone())))
    }

    /// The frame that started last ends.
    fn end(&mut self, result: &FrameResult) {
        let ended = self.open.pop().flatten();
        if let FrameResult::Create(created) = result
            && !created.result.result.is_ok()
        {
            self.refusal = Some(created.result.output.clone());
        }
        let Some((selector, limit)) = ended else { return };
        let used = limit.saturating_sub(result.gas().remaining());
        let succeeded = result.instruction_result().is_ok();
        let refusal = self.refusal.take();
        self.watched.push(WatchedCall { selector, limit, used, succeeded, refusal });
    }
}

fn selector_of(ctx: &Ctx<'_>, call: &CallInputs) -> Selector {
    call.input.bytes(ctx).first_chunk::<4>().map(Selector::from).unwrap_or_default()
}

impl<'m> Handler for Frames<'m, '_> {
    type Evm = Machine<'m>;
    type Error = MachineError;
    type HaltReason = HaltReason;

    fn run_exec_loop(
        &mut self,
        evm: &mut Machine<'m>,
        first: <<Machine<'m> as EvmTr>::Frame as FrameTr>::FrameInit,
    ) -> Result<FrameResult, MachineError> {
        if let ItemOrResult::Result(result) = self.start(evm, first)? {
            self.end(evm, &result);
            return Ok(result);
        }
        loop {
            let result = match evm.frame_run()? {
                ItemOrResult::Item(init) => match self.start(evm, init)? {
                    ItemOrResult::Item(()) => continue,
                    ItemOrResult::Result(result) => result,
                },
                ItemOrResult::Result(result) => result,
            };
            self.end(evm, &result);
            if let Some(result) = evm.frame_return_result(result)? {
                return Ok(result);
            }
        }
    }
}

impl<'m> Frames<'m, '_> {
    /// Starts a frame, or has its result at once.
    fn start(
        &mut self,
        evm: &mut Machine<'m>,
        init: FrameInit,
    ) -> Result<ItemOrResult<(), FrameResult>, MachineError> {
        note_start(evm.ctx(), &init);
        if let Some(director) = &mut self.director
            && let Some(result) = director.start(evm.ctx(), &init)
        {
            return Ok(ItemOrResult::Result(result));
        }
        Ok(match evm.frame_init(init)? {
            ItemOrResult::Item(_) => ItemOrResult::Item(()),
            ItemOrResult::Result(result) => ItemOrResult::Result(result),
        })
    }

    fn end(&mut self, evm: &mut Machine<'m>, result: &FrameResult) {
        note_end(evm.ctx(), result);
        if let Some(director) = &mut self.director {
            director.end(result);
        }
    }
}

fn note_start(ctx: &mut Ctx<'_>, init: &FrameInit) {
    let journal = &mut ctx.journaled_state;
    let recorder = &mut journal.database;
    match &init.frame_input {
        FrameInput::Call(call) => {
            recorder.enter_code(call.bytecode_address);
            recorder.note(call.target_address, AccountUse::ENTERED);
            if call.bytecode_address != call.target_address {
                recorder.note(call.bytecode_address, AccountUse::ENTERED);
            }
            // The payer needs the money. Whether the payee exists counts of every account that is touched.
            if call.value.transfer().is_some_and(|value| !value.is_zero()) {
                recorder.note(call.caller, AccountUse::BALANCE);
            }
        }
        FrameInput::Create(create) => {
            let creator = create.caller();
            let paid = if create.value().is_zero() { AccountUse::TOUCHED } else { AccountUse::BALANCE };
            recorder.note(creator, AccountUse::NONCE | paid);
            if let Some(account) = journal.inner.state.get(&creator) {
                let created = create.created_address(account.info.nonce);
                recorder.note(created, AccountUse::NONCE | AccountUse::ENTERED);
            }
        }
        FrameInput::Empty => {}
    }
}

fn note_end(ctx: &mut Ctx<'_>, result: &FrameResult) {
    let reason = result.instruction_result();
    if matches!(reason, InstructionResult::OpcodeNotFound | InstructionResult::NotActivated) {
        ctx.journaled_state.database.give_up(Unknown::Opcode);
    }
}
