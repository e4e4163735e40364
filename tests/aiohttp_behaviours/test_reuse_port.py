"""Behaviour 8: closing a SO_REUSEPORT listener drops what waits in its queue."""

import socket

from tests.support.gateway import RunningGateway


def test_the_kernel_drops_what_waits() -> None:
    """Clients that were connected, and not yet accepted, are reset: a restart loses requests."""
    with _listening(0) as first, _listening(first.getsockname()[1]) as second:
        address = first.getsockname()
        clients = [socket.create_connection(address) for _ in range(64)]
        second.close()
        lost = sum(_is_reset(client) for client in clients)
        assert 0 < lost < 64  # the other listener's share is still there
        for client in clients:
            client.close()


def _listening(port: int) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen(128)
    return listening


def _is_reset(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        client.recv(1)
    except ConnectionResetError:
        return True
    except BlockingIOError:
        return False
    return False


async def test_the_gateway_s_listener_is_alone(running: RunningGateway) -> None:
    """One socket without SO_REUSEPORT: nobody can share its port."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            other.bind(("127.0.0.1", running.port))
        except OSError:
            return
    raise AssertionError("the port could be shared")
