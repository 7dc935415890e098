//! The project's contracts, as far as the demo calls them.

alloy::sol! {
    #![sol(all_derives)]

    interface Owned {
        function owner() external view returns (address);
        function transferOwnership(address to) external;
    }

    interface Token {
        function mint(address to, uint256 amount) external;
        function balanceOf(address account) external view returns (uint256);
        function transfer(address to, uint256 amount) external returns (bool);
    }

    interface PriceFeed {
        function set(uint256 newPrice) external;
    }

    interface Controller {
        function VAULT() external view returns (address);
        function limit() external view returns (uint256);
    }

    interface Vault {
        function CONTROLLER() external view returns (address);
        function cap() external view returns (uint256);
        function feeBps() external view returns (uint16);
        function deposit() external payable;
        function withdraw(uint256 amount) external;
        function balanceOf(address account) external view returns (uint256);
    }
}
