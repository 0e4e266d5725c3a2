"""The web page: a few files of our own, and a content security policy that allows nothing else."""

from collections.abc import Callable, Coroutine
from importlib.resources import files

from fastapi import APIRouter, Response

KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def page_router() -> APIRouter:
    """Make a route for each file of the page; no other file can be reached."""
    routes = APIRouter(include_in_schema=False)
    for file in files("unrolled.serving").joinpath("page").iterdir():
        kind = KINDS.get("." + file.name.rpartition(".")[2])
        if kind is not None:
            path = "/" if file.name == "index.html" else f"/page/{file.name}"
            routes.add_api_route(path, _answer(file.read_bytes(), kind), methods=["GET"])
    return routes


def _answer(content: bytes, kind: str) -> Callable[[], Coroutine[None, None, Response]]:
    async def answer() -> Response:
        return Response(content, media_type=kind, headers=HEADERS)

    return answer
