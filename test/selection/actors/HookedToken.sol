// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

interface ITransferHook {
    function onTransfer() external;
}

/// A token as hostile as one can be that moves what it is asked to: it calls back whoever asked for it, in
/// the middle of every transfer that it is part of.
contract HookedToken is ERC20 {
    mapping(address account => bool) private _hooked;

    constructor(uint256 supply) ERC20("Hooked", "HOOK") {
        _mint(msg.sender, supply);
    }

    function hookMe() external {
        _hooked[msg.sender] = true;
    }

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (_hooked[from]) ITransferHook(from).onTransfer();
        if (_hooked[to]) ITransferHook(to).onTransfer();
    }
}
