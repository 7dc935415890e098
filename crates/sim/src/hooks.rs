//! What the machine is made to report beyond the keys it asks for.
//!
//! Opcodes that look at the environment or at a balance are replaced in the instruction table by ones that
//! leave a note first; calls and creations leave theirs when their frame starts. An ordinary opcode pays nothing
//! for it.

use crate::{
    outcome::Unknown,
    reads::{AccountUse, EnvSeen},
    recorder::Recorder,
};
use alloy::primitives::Address;
use revm::{
    Context, Journal, MainnetEvm,
    bytecode::opcode,
    context::{
        BlockEnv, CfgEnv, TxEnv,
        result::{EVMError, HaltReason},
    },
    handler::{EvmTr, FrameResult, Handler, ItemOrResult, evm::FrameTr, instructions::EthInstructions},
    interpreter::{
        FrameInput, InstructionContext, InstructionExecResult, InstructionResult,
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
        ORIGIN => |op: Opcode<'_, 'm>| see(op, EnvSeen::ORIGIN, tx_info::origin),
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
pub(crate) struct Frames<'m>(PhantomData<Machine<'m>>);

impl<'m> Handler for Frames<'m> {
    type Evm = Machine<'m>;
    type Error = MachineError;
    type HaltReason = HaltReason;

    fn run_exec_loop(
        &mut self,
        evm: &mut Machine<'m>,
        first: <<Machine<'m> as EvmTr>::Frame as FrameTr>::FrameInit,
    ) -> Result<FrameResult, MachineError> {
        note_start(evm.ctx(), &first);
        if let ItemOrResult::Result(result) = evm.frame_init(first)? {
            note_end(evm.ctx(), &result);
            return Ok(result);
        }
        loop {
            let result = match evm.frame_run()? {
                ItemOrResult::Item(init) => {
                    note_start(evm.ctx(), &init);
                    match evm.frame_init(init)? {
                        ItemOrResult::Item(_) => continue,
                        ItemOrResult::Result(result) => result,
                    }
                }
                ItemOrResult::Result(result) => result,
            };
            note_end(evm.ctx(), &result);
            if let Some(result) = evm.frame_return_result(result)? {
                return Ok(result);
            }
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
