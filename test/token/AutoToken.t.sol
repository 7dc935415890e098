// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {Test} from "forge-std/Test.sol";

import {IAutoToken} from "../../contracts/interfaces/IAutoToken.sol";
import {AutoToken} from "../../contracts/token/AutoToken.sol";

contract AutoTokenTest is Test {
    uint256 private constant SUPPLY = 1e27;
    bytes32 private constant PERMIT_TYPEHASH =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
    uint256 private constant OWNER_KEY = 0xA11CE;
    address private constant SPENDER = address(0x5BE4D);

    IAutoToken private token;
    address private owner;

    function setUp() public {
        vm.warp(1_800_000_000);
        owner = vm.addr(OWNER_KEY);
        token = new AutoToken(owner, SUPPLY);
    }

    function sign(uint256 key, uint256 value, uint256 nonce, uint256 deadline)
        private
        view
        returns (uint8 v, bytes32 r, bytes32 s)
    {
        bytes32 structHash = keccak256(abi.encode(PERMIT_TYPEHASH, owner, SPENDER, value, nonce, deadline));
        return vm.sign(key, keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), structHash)));
    }

    // --- refusals ---

    function test_RevertWhen_SupplyHasNoRecipient() public {
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InvalidReceiver.selector, address(0)));
        new AutoToken(address(0), 1);
    }

    function test_RevertWhen_PermitIsSignedByAnother() public {
        uint256 deadline = block.timestamp + 1;
        (uint8 v, bytes32 r, bytes32 s) = sign(0xB0B, 5, 0, deadline);
        vm.expectRevert(
            abi.encodeWithSelector(ERC20Permit.ERC2612InvalidSigner.selector, vm.addr(0xB0B), owner)
        );
        token.permit(owner, SPENDER, 5, deadline, v, r, s);
    }

    function test_RevertWhen_PermitIsExpired() public {
        uint256 deadline = block.timestamp - 1;
        (uint8 v, bytes32 r, bytes32 s) = sign(OWNER_KEY, 5, 0, deadline);
        vm.expectRevert(abi.encodeWithSelector(ERC20Permit.ERC2612ExpiredSignature.selector, deadline));
        token.permit(owner, SPENDER, 5, deadline, v, r, s);
    }

    function test_RevertWhen_PermitIsUsedTwice() public {
        uint256 deadline = block.timestamp;
        (uint8 v, bytes32 r, bytes32 s) = sign(OWNER_KEY, 5, 0, deadline);
        token.permit(owner, SPENDER, 5, deadline, v, r, s);
        vm.expectPartialRevert(ERC20Permit.ERC2612InvalidSigner.selector);
        token.permit(owner, SPENDER, 5, deadline, v, r, s);
    }

    function test_RevertWhen_PermitIsForAnotherChain() public {
        uint256 deadline = block.timestamp;
        (uint8 v, bytes32 r, bytes32 s) = sign(OWNER_KEY, 5, 0, deadline);
        vm.chainId(999);
        vm.expectPartialRevert(ERC20Permit.ERC2612InvalidSigner.selector);
        token.permit(owner, SPENDER, 5, deadline, v, r, s);
    }

    // --- behaviour ---

    function test_WhenDeployedAtHome_RecipientHasTheSupply() public view {
        assertEq(token.name(), "AUTO");
        assertEq(token.symbol(), "AUTO");
        assertEq(token.decimals(), 18);
        assertEq(token.totalSupply(), SUPPLY);
        assertEq(token.balanceOf(owner), SUPPLY);
    }

    function test_WhenDeployedElsewhere_ThereIsNone() public {
        vm.recordLogs();
        AutoToken elsewhere = new AutoToken(address(0), 0);
        assertEq(vm.getRecordedLogs().length, 0);
        assertEq(elsewhere.totalSupply(), 0);
    }

    function test_WhenPermitted_SpenderCanSpend() public {
        uint256 deadline = block.timestamp;
        (uint8 v, bytes32 r, bytes32 s) = sign(OWNER_KEY, 5 ether, 0, deadline);
        vm.expectEmit(address(token));
        emit IERC20.Approval(owner, SPENDER, 5 ether);
        token.permit(owner, SPENDER, 5 ether, deadline, v, r, s);
        assertEq(token.allowance(owner, SPENDER), 5 ether);
        assertEq(token.nonces(owner), 1);
        vm.prank(SPENDER);
        assertTrue(token.transferFrom(owner, address(this), 5 ether));
        assertEq(token.balanceOf(address(this)), 5 ether);
        assertEq(token.allowance(owner, SPENDER), 0);
    }

    /// It should conserve the supply in every transfer.
    function testFuzz_TransfersConserveTheSupply(address to, uint256 amount) public {
        vm.assume(to != address(0) && to != owner);
        amount = bound(amount, 0, SUPPLY);
        vm.prank(owner);
        assertTrue(token.transfer(to, amount));
        assertEq(token.balanceOf(owner) + token.balanceOf(to), SUPPLY);
        assertEq(token.totalSupply(), SUPPLY);
    }
}
