"""Ports that are not ours to take are named with their setting."""

import socket

from portal.run.ports import Port, port_problems


def _listener() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


def test_a_taken_port_is_named_with_its_setting() -> None:
    with _listener() as listener:
        number = listener.getsockname()[1]
        assert port_problems([Port("WEB_PORT", number)]) == [
            f"Port {number} is taken by another program. Set WEB_PORT to a free port."
        ]


def test_a_free_port_is_no_problem() -> None:
    with _listener() as listener:
        number = listener.getsockname()[1]
    assert port_problems([Port("WEB_PORT", number)]) == []


def test_one_number_for_two_settings_is_a_problem() -> None:
    with _listener() as listener:
        number = listener.getsockname()[1]
    problems = port_problems([Port("WEB_PORT", number), Port("STREAM_PORT", number)])
    assert problems == [
        f"WEB_PORT and STREAM_PORT are both {number}. Set STREAM_PORT to another port."
    ]
