"""Who may ask: a token, where there is one; and no pages of other sites, which a browser would let ask us.

Open to everybody are the page, its files, the description (/openapi.json), /healthz and /readyz, none of which says
anything of a user. All of /v1/ and /metrics ask for the token.
"""

import hmac

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from unrolled.serving.errors import Fault, refuse
from unrolled.serving.settings import LOOPBACK, Settings

GUARDED = ("/v1/", "/metrics")
STREAM = "/v1/stream"  # may send its token as the first message, as a browser can set no header there


class Guarded:
    """Lets in who may ask.

    Args:
        app: what answers.
        settings: with the token, and the address listened on.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app, self.settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request or connection."""
        if scope["type"] in ("http", "websocket"):
            fault = self._fault(scope)
            if fault is not None:
                await refuse(fault, scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _fault(self, scope: Scope) -> Fault | None:
        headers = Headers(scope=scope)
        if self.settings.is_loopback and not self.settings.token and not self._is_ours(headers.get("host", "")):
            return Fault("origin", "Host: a server without a token on this machine answers only to its own name")
        origin = headers.get("origin")
        if origin and origin.partition("://")[2] != headers.get("host"):
            return Fault("origin", "Origin: pages of other sites may not ask")
        if scope["type"] == "websocket" and scope["path"] != STREAM:
            return Fault("missing", "no WebSocket is opened at this path")
        if not scope["path"].startswith(GUARDED) or scope["path"] == STREAM:
            return None
        return None if may_ask(headers, self.settings.token) else Fault("token", "Authorization: send Bearer TOKEN")

    def _is_ours(self, host: str) -> bool:
        """A name that a page of another site cannot have been given (DNS rebinding)."""
        name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
        return name.lower() in (*LOOPBACK, self.settings.host.lower())


def may_ask(headers: Headers, token: str) -> bool:
    """Whether the header has the token, where there is one; the scheme is Bearer in any letters."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    return not token or (scheme.lower() == "bearer" and is_token(given.strip(), token))


def is_token(given: str, token: str) -> bool:
    """Compare in a time that does not tell how much was right."""
    return hmac.compare_digest(given.encode(errors="replace"), token.encode())
