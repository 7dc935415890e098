// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {MaxBaseFee} from "./MaxBaseFee.sol";
import {MinGas} from "./MinGas.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";

/**
 * @title GuardedCall: puts `MaxBaseFee` and `MinGas` around a call to a contract that has neither
 * @notice For Requests without `verifyUser` and `insertFeeAmount`: the target sees this contract as its
 * caller, so nothing about the user is proven to it. Anybody may call anything from here; tokens, ETH or
 * approvals left here are anybody's.
 */
contract GuardedCall is MaxBaseFee, MinGas {
    /**
     * @notice Calls `target` with `data` and the value sent. What the target reverts with comes back as it
     * is; a
     * target without code is an error.
     * @param maxBaseFee wei per gas; `type(uint256).max` for any.
     * @param minGas gas that the target's call gets at least.
     */
    function callGuarded(uint256 maxBaseFee, uint256 minGas, address target, bytes calldata data)
        external
        payable
        whenBaseFeeAtMost(maxBaseFee)
        returns (bytes memory result)
    {
        bytes memory input = data;
        // The EVM keeps back a 64th of what is left, and the call itself costs: at most an account that is
        // cold (2,600), value (9,000) and the code around it.
        _requireGas(minGas + minGas / 63 + 15_000);
        result = Address.functionCallWithValue(target, input, msg.value);
    }
}
