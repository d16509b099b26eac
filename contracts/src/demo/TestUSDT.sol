// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title A coin for demonstrations and tests, worth nothing.
/// @notice Like real USDT it has 6 decimals and its transfer functions return nothing.
contract TestUSDT {
    string public constant name = "Test USDT (no value)";
    string public constant symbol = "USDT";
    uint8 public constant decimals = 6;

    uint256 public totalSupply;
    mapping(address holder => uint256) public balanceOf;
    mapping(address holder => mapping(address spender => uint256)) public allowance;

    event Transfer(address indexed from, address indexed to, uint256 value);
    event Approval(address indexed owner, address indexed spender, uint256 value);

    error BalanceTooLow(uint256 balance, uint256 wanted);
    error AllowanceTooLow(uint256 allowance, uint256 wanted);

    /// @notice Makes coins out of nothing, for anybody: this is a demonstration.
    function mint(address to, uint256 value) external {
        totalSupply += value;
        balanceOf[to] += value;
        emit Transfer(address(0), to, value);
    }

    /// @notice Moves the caller's coins. Returns nothing.
    function transfer(address to, uint256 value) external {
        _move(msg.sender, to, value);
    }

    /// @notice Moves coins of a holder that allowed the caller to. Returns nothing.
    function transferFrom(address from, address to, uint256 value) external {
        uint256 allowed = allowance[from][msg.sender];
        if (allowed < value) revert AllowanceTooLow(allowed, value);
        allowance[from][msg.sender] = allowed - value;
        _move(from, to, value);
    }

    /// @notice Sets what a spender may move. Returns nothing.
    function approve(address spender, uint256 value) external {
        allowance[msg.sender][spender] = value;
        emit Approval(msg.sender, spender, value);
    }

    function _move(address from, address to, uint256 value) private {
        uint256 balance = balanceOf[from];
        if (balance < value) revert BalanceTooLow(balance, value);
        balanceOf[from] = balance - value;
        balanceOf[to] += value;
        emit Transfer(from, to, value);
    }
}
