// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice TestUSDT's storage and calls, with Tether's blacklist: who is on it gets no coins.
contract BlacklistingUSDT {
    uint256 public totalSupply;
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;
    mapping(address => bool) public isBlackListed;

    event Transfer(address indexed from, address indexed to, uint256 value);

    error Listed(address who);

    function setListed(address who, bool on) external {
        isBlackListed[who] = on;
    }

    function transfer(address to, uint256 value) external {
        if (isBlackListed[to] || isBlackListed[msg.sender]) revert Listed(to);
        balanceOf[msg.sender] -= value;
        balanceOf[to] += value;
        emit Transfer(msg.sender, to, value);
    }
}
