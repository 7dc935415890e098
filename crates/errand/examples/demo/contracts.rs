//! The contracts that the demo calls beside Errand's own.

alloy::sol! {
    #![sol(all_derives)]

    struct Order {
        address[] path;
        uint256 amountIn;
        uint256 minOut;
        uint256 stopOut;
        uint256 maxBaseFee;
        uint256 deadline;
    }

    interface Orders {
        function swapTokensForEth(address user, Order order) external;
        function swapEthForTokens(address user, Order order) external payable;
        function swapTokensForEthPayingFee(address user, uint256 feeWei, Order order) external;
    }

    interface Payments {
        event Paid(uint256 indexed id, address indexed payer, address indexed payee, uint256 amount, uint256 dueAt);
        function create(address token, address payee, uint256 amount, uint40 firstDue, uint40 period, uint32 count, uint40 expiry, bool catchUp) external returns (uint256 id);
        function nextId() external view returns (uint256);
        function pay(uint256 id) external;
    }

    interface Hostile {
        function reenter(address registry, bytes call) external;
        function bomb() external;
        function burn() external;
        function coin() external;
    }

    interface Token {
        function mint(address to, uint256 amount) external;
        function approve(address spender, uint256 amount) external returns (bool);
        function transfer(address to, uint256 amount) external returns (bool);
    }

    interface Router {
        function swapExactETHForTokens(uint256 amountOutMin, address[] path, address to, uint256 deadline) external payable returns (uint256[] amounts);
        function swapExactTokensForETH(uint256 amountIn, uint256 amountOutMin, address[] path, address to, uint256 deadline) external returns (uint256[] amounts);
    }

    interface Pair {
        function token0() external view returns (address);
        function getReserves() external view returns (uint112 reserve0, uint112 reserve1, uint32 blockTimestampLast);
    }
}
