// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {StakeManagerBase} from "./StakeManagerBase.sol";

/// Turns are drawn in proportion to stake. Block hashes in tests are fixed, so these are not chances but facts.
contract StakeManagerDrawTest is StakeManagerBase {
    uint256 private constant EPOCHS = 5000;

    mapping(address staker => uint256) private turns;

    function countTurns() private {
        for (uint256 i; i < EPOCHS; ++i) {
            nextEpoch();
            (address staker,) = manager.selected();
            ++turns[staker];
        }
    }

    /// 50 of 150 staked are a third of the turns: within three standard deviations.
    function test_WhenAThirdIsStaked_AThirdOfTheTurnsIsWon() public {
        stakeAs(ALICE, 50 ether);
        stakeAs(BOB, 100 ether);
        countTurns();
        assertApproxEqAbs(turns[ALICE], EPOCHS / 3, 100);
        assertEq(turns[ALICE] + turns[BOB], EPOCHS);
    }

    /// Chi-square over stakes of very different sizes, spread over three levels of the tree.
    function test_WhenManyStake_TurnsFitTheirShares() public {
        uint256 stakers = 60;
        uint256 totalUnits;
        for (uint160 i; i < stakers; ++i) {
            uint256 units = 1 + uint256(i) * i % 97;
            stakeAs(address(5000 + i), units * UNIT);
            totalUnits += units;
        }
        countTurns();

        uint256 chiSquareMilli;
        uint256 sum;
        for (uint160 i; i < stakers; ++i) {
            uint256 units = 1 + uint256(i) * i % 97;
            uint256 won = turns[address(5000 + i)];
            sum += won;
            // (won - expected)^2 / expected, in thousandths, with expected = EPOCHS * units / totalUnits
            uint256 expectedMilli = EPOCHS * units * 1000 / totalUnits;
            uint256 differenceMilli =
                won * 1000 > expectedMilli ? won * 1000 - expectedMilli : expectedMilli - won * 1000;
            chiSquareMilli += differenceMilli * differenceMilli / expectedMilli;
        }
        assertEq(sum, EPOCHS, "nobody without weight was drawn");
        // 59 degrees of freedom: 98.3 is exceeded with a probability of 0.1 %, 31.7 fallen short of.
        assertLt(chiSquareMilli, 98_300);
        assertGt(chiSquareMilli, 31_700);
    }

    /// Dust and stake that left win nothing.
    function test_WhenWeightIsZero_NothingIsWon() public {
        stakeAs(ALICE, UNIT - 1);
        stakeAs(BOB, 1 ether);
        stakeAs(CAROL, 1000 ether);
        unstakeAs(CAROL, 1000 ether);
        countTurns();
        assertEq(turns[BOB], EPOCHS);
    }
}
