"""Access control: a token where one is set, and no requests from pages of other sites.

The page, its files, the API description (/openapi.json), /healthz and /readyz are open to everybody; none of them
reveals anything about a user. All of /v1/ and /metrics require the token.
"""

import hmac

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from unrolled.serving.errors import Fault, refuse
from unrolled.serving.settings import LOOPBACK, Settings

GUARDED = ("/v1/", "/metrics")
STREAM = "/v1/stream"  # may send its token as the first message, as a browser can set no header there


class Guarded:
    """Middleware that refuses requests without permission.

    Args:
        app: the application behind it.
        settings: with the token, and the address that the server listens on.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app, self.settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request or connection, and pass it on or refuse it."""
        if scope["type"] in ("http", "websocket"):
            fault = self._fault(scope)
            if fault is not None:
                await refuse(fault, scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _fault(self, scope: Scope) -> Fault | None:
        headers = Headers(scope=scope)
        if self.settings.is_loopback and not self.settings.token and not self._is_ours(headers.get("host", "")):
            return Fault("origin", "Host: a local server without a token answers only to its own name")
        origin = headers.get("origin")
        if origin and origin.partition("://")[2] != headers.get("host"):
            return Fault("origin", "Origin: requests from pages of other sites are refused")
        if scope["type"] == "websocket" and scope["path"] != STREAM:
            return Fault("missing", "there is no WebSocket at this path")
        if not scope["path"].startswith(GUARDED) or scope["path"] == STREAM:
            return None
        return None if may_ask(headers, self.settings.token) else Fault("token", "Authorization: send Bearer TOKEN")

    def _is_ours(self, host: str) -> bool:
        """Return whether a host name is one of this server's own (a defence against DNS rebinding)."""
        name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
        return name.lower() in (*LOOPBACK, self.settings.host.lower())


def may_ask(headers: Headers, token: str) -> bool:
    """Return whether the headers carry the token, or none is set; the scheme is Bearer in any case of letters."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    return not token or (scheme.lower() == "bearer" and is_token(given.strip(), token))


def is_token(given: str, token: str) -> bool:
    """Compare a token with the right one in constant time."""
    return hmac.compare_digest(given.encode(errors="replace"), token.encode())
