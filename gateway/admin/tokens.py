"""Decides who may use the admin API: bearer tokens with scopes, compared in constant time."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.errors import GatewayError


@dataclass(frozen=True, slots=True)
class AdminToken:
    """A token, the name the audit log uses for its holder, and what it is good for."""

    name: str
    token: str = field(repr=False)
    scopes: frozenset[str]

    def check(self, scope: str) -> None:
        """Return if the token is good for `scope`. Raises: GatewayError route_forbidden."""
        if scope not in self.scopes:
            raise GatewayError("route_forbidden", f"this admin token lacks the scope {scope}")


class AdminTokens:
    """The tokens there are; with none, nobody may use the API."""

    def __init__(self, tokens: Sequence[AdminToken]) -> None:
        self._tokens = tuple(tokens)

    def identify(self, authorization: str) -> AdminToken:
        """Return the token an `Authorization` value holds, whatever it is good for.

        Raises: GatewayError session_missing, session_invalid.
        """
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() != "bearer" or not given:
            raise GatewayError("session_missing", "send an admin token")
        # aiohttp keeps bytes that are no UTF-8 as lone surrogates; they must not raise here.
        sent = given.strip().encode("utf-8", "surrogateescape")
        # All are compared, so that time tells nothing about which one is near.
        same = [hmac.compare_digest(each.token.encode(), sent) for each in self._tokens]
        holder = next((t for t, is_it in zip(self._tokens, same, strict=True) if is_it), None)
        if holder is None:
            raise GatewayError("session_invalid", "this admin token is not known")
        return holder
