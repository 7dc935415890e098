// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

/**
 * @title Sum tree: weights of numbered leaves, drawn in proportion
 * @notice Every node has seven children, each a 36-bit sum, packed into one word; a leaf is a child of the
 * lowest level. Changing a weight writes one word per level, and so does drawing read one.
 *
 * @dev The caller keeps the height, beside something it loads anyway: a slot of the tree's own would cost
 * every change 2,100 gas. It starts at 0 and is only ever what `grow` returned last.
 *
 * No sum can overflow into its neighbour, because none exceeds the total, and the total is checked.
 */
library SumTree {
    /// Children of a node.
    uint256 internal constant FAN_OUT = 7;
    /// Bits of a child's sum.
    uint256 internal constant WEIGHT_BITS = 36;
    /// The most that all weights may add up to: 2^36 - 1. A literal, because an expression would be computed
    /// wherever it stands.
    uint256 internal constant MAX_TOTAL = 0xFFFFFFFFF;
    /// As many leaves as there are units to weigh.
    uint256 internal constant MAX_HEIGHT = 13;
    /// A node's place is its level, the lowest being 0, above its position in the level.
    uint256 private constant LEVEL_SHIFT = 40;

    struct Tree {
        /// an array rather than a mapping: nothing to hash on the way up
        uint256[2 ** 48] nodes;
    }

    /// Raised when `amount` on top of `total` would exceed `MAX_TOTAL`.
    error TotalTooLarge(uint256 total, uint256 amount);
    /// Raised when more is taken from a leaf than its weight.
    error WeightTooSmall(uint256 leaf, uint256 weight, uint256 amount);
    /// Raised when the tree would be higher than `MAX_HEIGHT`.
    error TreeTooHigh(uint256 height);
    /// Raised when the tree is not high enough for a leaf.
    error LeafOutOfRange(uint256 leaf, uint256 height);
    /// Raised when a point does not lie below the total.
    error PointOutOfRange(uint256 point, uint256 total);

    /// Returns how many leaves a tree of `height` holds.
    function capacity(uint256 height) internal pure returns (uint256 leaves) {
        return FAN_OUT ** height;
    }

    /// Returns the sum of all weights.
    function total(Tree storage tree, uint256 height) internal view returns (uint256 sum) {
        if (height == 0) return 0;
        uint256 root = tree.nodes[_place(height - 1, 0)];
        // The sum of the digits in base 2^36, as with casting out nines; only a sum of 2^36 - 1 gives 0 too.
        sum = root % MAX_TOTAL;
        if (sum == 0 && root != 0) sum = MAX_TOTAL;
    }

    /// Returns the weight of `leaf`; 0 where no leaf is.
    function weightAt(Tree storage tree, uint256 height, uint256 leaf) internal view returns (uint256) {
        if (leaf >= capacity(height)) return 0;
        return (tree.nodes[_place(0, leaf / FAN_OUT)] >> (leaf % FAN_OUT * WEIGHT_BITS)) & MAX_TOTAL;
    }

    /// Adds a level, which multiplies the capacity by seven; returns the new height.
    function grow(Tree storage tree, uint256 height) internal returns (uint256 newHeight) {
        require(height < MAX_HEIGHT, TreeTooHigh(height));
        uint256 sum = total(tree, height);
        if (sum != 0) tree.nodes[_place(height, 0)] = sum;
        return height + 1;
    }

    /// Adds `amount` to the weight of `leaf`.
    function add(Tree storage tree, uint256 height, uint256 leaf, uint256 amount) internal {
        uint256 sum = total(tree, height);
        require(amount <= MAX_TOTAL - sum, TotalTooLarge(sum, amount));
        _shift(tree, height, leaf, amount);
    }

    /// Takes `amount` from the weight of `leaf`.
    function take(Tree storage tree, uint256 height, uint256 leaf, uint256 amount) internal {
        uint256 weight = weightAt(tree, height, leaf);
        require(amount <= weight, WeightTooSmall(leaf, weight, amount));
        // Unchecked: the negative in two's complement, which `_shift` adds.
        unchecked {
            _shift(tree, height, leaf, 0 - amount);
        }
    }

    /// Makes `weight` the weight of `leaf`.
    function set(Tree storage tree, uint256 height, uint256 leaf, uint256 weight) internal {
        uint256 current = weightAt(tree, height, leaf);
        if (weight > current) add(tree, height, leaf, weight - current);
        else take(tree, height, leaf, current - weight);
    }

    /// Returns the leaf in whose share of the total `point` lies; it has weight.
    function draw(Tree storage tree, uint256 height, uint256 point) internal view returns (uint256 leaf) {
        uint256 sum = total(tree, height);
        require(point < sum, PointOutOfRange(point, sum));
        // Unchecked: the point lies below each node's sum, so one of its children holds it.
        unchecked {
            for (uint256 level = height; level-- != 0;) {
                uint256 children = tree.nodes[_place(level, leaf)];
                uint256 weight = children & MAX_TOTAL;
                leaf *= FAN_OUT;
                while (point >= weight) {
                    point -= weight;
                    children >>= WEIGHT_BITS;
                    weight = children & MAX_TOTAL;
                    ++leaf;
                }
            }
        }
    }

    /// Adds `delta`, a number in two's complement, to the sums of all that hold `leaf`.
    function _shift(Tree storage tree, uint256 height, uint256 leaf, uint256 delta) private {
        if (delta == 0) return;
        uint256 position = leaf;
        // Unchecked: the callers made sure that no sum leaves its 36 bits, and a negative wraps as meant.
        unchecked {
            for (uint256 level; level < height; ++level) {
                uint256 child = position % FAN_OUT;
                position /= FAN_OUT;
                tree.nodes[_place(level, position)] += delta << (child * WEIGHT_BITS);
            }
        }
        require(position == 0 && height != 0, LeafOutOfRange(leaf, height));
    }

    function _place(uint256 level, uint256 position) private pure returns (uint256) {
        return level << LEVEL_SHIFT | position;
    }
}
