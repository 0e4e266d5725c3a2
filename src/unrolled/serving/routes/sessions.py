"""`/v1/sessions`: list, reset, export and import sessions."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from unrolled.errors import message
from unrolled.serving.errors import Fault
from unrolled.serving.limits import key_of
from unrolled.serving.routes.common import Asked, StrictRoute, as_json
from unrolled.serving.schemas import SessionInfo, SessionList, errors
from unrolled.serving.service import Service

router = APIRouter(route_class=StrictRoute, tags=["sessions"])
BYTES: Any = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
ERRORS = errors("unsupported", "store", "time")
KNOWN = errors("missing", "state", "unsupported", "store", "lost", "time")


@router.get("/v1/sessions", response_model=SessionList, responses=ERRORS)
async def sessions(
    service: Asked, limit: Annotated[int, Query(ge=0, le=10_000, description="maximum number of keys")] = 100
) -> Response:
    """Return the number of sessions, and the keys of some."""
    kept = service.sessions
    count = await service.look(len, kept)
    return as_json({"count": count, "keys": await service.look(kept.keys, limit)})


@router.get("/v1/sessions/{key}", response_model=SessionInfo, responses=KNOWN)
async def session(service: Asked, key: str) -> Response:
    """Describe a session."""
    name = key_of(key)
    data = await _export(service, name)
    return as_json({"key": name, "bytes": len(data), "fingerprint": service.fingerprint})


@router.delete("/v1/sessions/{key}", status_code=204, responses=KNOWN)
async def reset(service: Asked, key: str) -> Response:
    """Delete a session; its next event starts a new one."""
    if not await service.look(service.sessions.reset, key_of(key)):
        raise _unknown(key_of(key))
    return Response(status_code=204)


@router.get("/v1/sessions/{key}/state", responses={200: BYTES, **KNOWN}, response_class=Response)
async def export_state(service: Asked, key: str) -> Response:
    """Export the state of a session as bytes, signed where the server has a token or a state key."""
    data = await _export(service, key_of(key))
    data = data if service.signer is None else service.signer.signed(data)
    return Response(data, media_type="application/octet-stream")


@router.put(
    "/v1/sessions/{key}/state",
    status_code=204,
    responses=KNOWN,
    openapi_extra={"requestBody": {"required": True, **BYTES}},
)
async def import_state(service: Asked, key: str, request: Request) -> Response:
    """Start or replace a session with an exported state of this model; a server that signs checks the signature."""
    data = await request.body()
    data = data if service.signer is None else service.signer.opened(data)
    await service.look(service.sessions.import_state, key_of(key), data)
    return Response(status_code=204)


async def _export(service: Service, key: str) -> bytes:
    if await service.look(service.sessions.state, key) is None:
        raise _unknown(key)
    return await service.look(service.sessions.export, key)


def _unknown(key: str) -> Fault:
    return Fault("missing", message("key", expected="the key of a session", received=repr(key[:80])))
