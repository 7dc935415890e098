// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

/**
 * @title MinGas: a guard for work that would do less when it gets less gas
 * @notice Code that catches the failure of an inner call can be starved: an executor supplies just enough gas
 * for the outer call, the inner one runs out, and the Request counts as executed. The Registry cannot know
 * what
 * a target needs; the target can. Inherit this, and give the function the modifier with what the whole of it
 * needs at most. `GuardedCall` wraps it around other contracts' calls.
 */
abstract contract MinGas {
    /// Raised when the call got less than `minGas`.
    error NotEnoughGas(uint256 left, uint256 minGas);

    /// Lets the call through when at least `minGas` is left.
    modifier whenGasAtLeast(uint256 minGas) {
        _requireGas(minGas);
        _;
    }

    function _requireGas(uint256 minGas) internal view {
        uint256 left = gasleft();
        require(left >= minGas, NotEnoughGas(left, minGas));
    }
}
