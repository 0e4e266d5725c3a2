"""Signatures of exported states, so that a server imports only states that it exported.

"uRH"  version  HMAC-SHA256 of the state  state as `unrolled.streaming.state.pack` wrote it
3      1 byte   32 bytes
"""

import hashlib
import hmac
from collections.abc import Sequence

from unrolled.errors import ArtifactError, OptionError, message

HEAD = b"uRH\x01"
DIGEST = 32
SHORTEST = 16  # characters of a secret that is not a token


def bare(data: bytes) -> bytes:
    """Remove the signature of a state, if there is one, without checking it."""
    return data[len(HEAD) + DIGEST :] if data[: len(HEAD)] == HEAD else data


class Signer:
    """Signs with the first of some secrets, and accepts signatures of any of them.

    Args:
        secrets: of the server, at least one; several while one replaces another.

    Example:
        >>> old, new = Signer([b"old"]), Signer([b"new", b"old"])
        >>> new.opened(old.signed(b"state")), len(new.signed(b"state"))
        (b'state', 41)
    """

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._keys = [hmac.digest(secret, b"unrolled: states of sessions", hashlib.sha256) for secret in secrets]

    def signed(self, state: bytes) -> bytes:
        """Sign a state with the first secret."""
        return HEAD + hmac.digest(self._keys[0], state, hashlib.sha256) + state

    def opened(self, data: bytes) -> bytes:
        """Check the signature of a state, and return the state without it.

        Raises:
            ArtifactError: no signature, or one by another secret.
        """
        state, signature = bare(data), data[len(HEAD) : len(HEAD) + DIGEST]
        good = [hmac.compare_digest(signature, hmac.digest(key, state, hashlib.sha256)) for key in self._keys]
        if data[: len(HEAD)] != HEAD or not any(good):
            received = "one without a signature" if data[: len(HEAD)] != HEAD else "another signature"
            raise ArtifactError(
                message("state", expected="one that this server signed", received=received,
                        remedy="take a state from a server with the same state key, or start the session again")
            )  # fmt: skip
        return state


def signer_of(state_key: str, token: str) -> Signer | None:
    """Return the signer of a server; None where it has neither a state key nor a token.

    Args:
        state_key: secrets, one per line, the newest first; empty = the token is used.
        token: secret that clients must send; empty = none.

    Raises:
        OptionError: a secret that is too short.
    """
    secrets = [line.strip() for line in state_key.splitlines() if line.strip()]
    if any(len(secret) < SHORTEST for secret in secrets):
        raise OptionError(
            message("state key", expected=f"at least {SHORTEST} characters in each line", received="a shorter one",
                    remedy="`openssl rand -hex 32` makes one")
        )  # fmt: skip
    secrets = secrets or ([token] if token else [])
    return Signer([secret.encode() for secret in secrets]) if secrets else None
