"""A server with a token takes back only states that it signed; the key outlives restarts, workers and new tokens."""

import pytest

from serving.toys import client_of, toy_service
from streaming.toy import toy_stream
from unrolled.errors import ArtifactError, OptionError
from unrolled.streaming.signed_state import DIGEST, HEAD, Signer, signer_of

OLD, NEW = "an old secret of the server", "a new secret of the server"
PATH = "/v1/sessions/a/state"


def server(token="", state_key=""):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return client_of(toy_service(token=token, state_key=state_key), headers=headers)


def exported(**told):
    with server(**told) as client:
        assert client.post("/v1/step", json={"key": "a", "event": 3}).status_code == 200
        return client.get(PATH).content


def taken(state, **told):
    """Whether a server takes a state, and goes on from it."""
    with server(**told) as client:
        answer = client.put(PATH, content=state)
        assert answer.status_code in (204, 422)
        if answer.status_code == 422:
            assert answer.json()["error"]["kind"] == "state"
            assert client.get(PATH).status_code == 404
            return False
        return client.post("/v1/step", json={"key": "a", "event": 1}).json()["output"]["sum"] == 4


def test_a_state_goes_to_another_process_of_the_same_server():
    assert taken(exported(token="hush"), token="hush")
    assert taken(exported(token="hush", state_key=OLD), token="hush", state_key=OLD)
    assert taken(exported(state_key=OLD), state_key=OLD)


def test_what_the_server_did_not_sign_is_refused():
    state, stream = exported(token="hush"), toy_stream()
    bare = state[len(HEAD) + DIGEST :]
    assert stream.unpack(bare).memory == (1, 3.0)
    for forged in (bare, state[:-1], state[:10] + b"x" + state[11:], HEAD, HEAD + bytes(DIGEST) + bare, b"", b"x" * 99):
        assert not taken(forged, token="hush")
    assert not taken(exported(token="another"), token="hush")
    assert not taken(exported(), token="hush")


def test_without_a_token_anybody_may_bring_a_state_signed_or_not():
    assert taken(exported())
    assert taken(exported(token="hush"))


def test_a_new_token_and_a_new_secret_each_leave_the_old_states_good():
    assert not taken(exported(token="hush"), token="new")  # the key was made from the token
    assert taken(exported(token="hush", state_key=OLD), token="new", state_key=OLD)
    assert taken(exported(token=OLD), token="new", state_key=f"{NEW}\n{OLD}")  # the old token as an old secret
    assert taken(exported(state_key=OLD), state_key=f"{NEW}\n\n{OLD}\n")
    assert taken(exported(state_key=f"{NEW}\n{OLD}"), state_key=NEW)
    assert not taken(exported(state_key=OLD), state_key=NEW)


def test_python_reads_a_state_that_a_server_signed():
    assert toy_stream().unpack(exported(token="hush")).memory == (1, 3.0)


def test_a_secret_that_is_too_short_is_refused():
    with pytest.raises(OptionError, match="16 characters"):
        signer_of(f"{NEW}\nshort", "")
    assert signer_of("", "") is None


def test_a_signature_depends_on_every_byte():
    signer, state = Signer([b"secret"]), bytes(range(50))
    signed = signer.signed(state)
    assert signer.opened(signed) == state
    for place in range(len(signed)):
        with pytest.raises(ArtifactError):
            signer.opened(signed[:place] + bytes([signed[place] ^ 1]) + signed[place + 1 :])
