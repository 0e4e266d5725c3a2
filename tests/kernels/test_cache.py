"""Machine code is loaded only from what this user alone could have written."""

import os
import stat
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import pytest

from unrolled.kernels.cpu import by_descriptor, by_path, cache

NAME, CODE = "gru-avx2-0123.o", b"code of the kernel" * 50
EVIL = b"code of somebody else"
OTHER_USER = 4242

posix = pytest.mark.skipif(not by_descriptor.is_possible(), reason="this system has neither owners nor descriptors")
as_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a file to another user"
)
pytestmark = posix


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The cache folder asked for; it is not there yet."""
    place = tmp_path / "above" / "kernels"
    monkeypatch.setenv(cache.FOLDER_VARIABLE, str(place))
    monkeypatch.setattr(cache, "_instead", {})
    return place


@pytest.fixture
def filled(folder) -> Path:
    cache.keep(NAME, CODE)
    assert cache.found(NAME) == CODE
    return folder


def kept_as(name: str, code: bytes) -> bytes:
    """A whole file of the cache, as anybody can make one: the digest is no secret."""
    return cache._digest(name, code) + code


def asked() -> tuple[bytes | None, list[str]]:
    """What is found, and the warnings on the way."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = cache.found(NAME)
        cache.found(NAME)
        cache.keep(NAME, CODE)
        again = cache.found(NAME)
    assert again in (CODE, found)
    return found, [str(one.message) for one in said]


def test_a_new_folder_and_its_files_are_the_users_alone(filled):
    assert stat.S_IMODE(filled.stat().st_mode) == 0o700
    assert stat.S_IMODE(filled.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE((filled / NAME).stat().st_mode) == 0o600
    assert [file.name for file in filled.iterdir()] == [NAME]
    assert cache.described() == str(filled)


def given_away(path: Path) -> None:
    os.chown(path, OTHER_USER, OTHER_USER)


FOLDERS = {
    "of another user": pytest.param(given_away, "another user", marks=as_root),
    "that its group can write": (lambda path: path.chmod(0o770), "others can write"),
    "that all can write": (lambda path: path.chmod(0o707), "others can write"),
    "that all can write, sticky": (lambda path: path.chmod(0o1777), "others can write"),
}


@pytest.mark.parametrize(("spoil", "why"), FOLDERS.values(), ids=FOLDERS)
def test_a_folder_that_others_can_write_is_not_used_and_one_warning_says_why(filled, spoil, why):
    (filled / NAME).write_bytes(kept_as(NAME, EVIL))
    before = (filled / NAME).stat()
    spoil(filled)
    found, said = asked()
    assert found is None
    assert len(said) == 1
    assert why in said[0]
    assert str(filled) in said[0]
    assert (filled / NAME).stat() == before  # nothing was written there
    assert why in cache.described()


def test_code_is_kept_in_a_private_folder_instead(filled):
    filled.chmod(0o777)
    asked()
    (private,) = cache._instead.values()
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert (private / NAME).is_file()
    assert cache.found(NAME) == CODE


PARENTS = {
    "of another user": pytest.param(given_away, "another user", marks=as_root),
    "that all can write": (lambda path: path.chmod(0o777), "others can write"),
    "of another group that can write": pytest.param(
        lambda path: (os.chown(path, 0, OTHER_USER), path.chmod(0o770)), "others can write", marks=as_root
    ),
}


@pytest.mark.parametrize(("spoil", "why"), PARENTS.values(), ids=PARENTS)
def test_a_folder_that_others_could_exchange_is_not_used(filled, spoil, why):
    spoil(filled.parent)
    found, said = asked()
    assert found is None
    assert len(said) == 1
    assert why in said[0]


@pytest.mark.parametrize("mode", [0o1777, 0o755, 0o775], ids=["sticky", "read by all", "written by the own group"])
def test_a_folder_in_a_usual_place_is_used(filled, mode):
    os.chown(filled.parent, -1, os.getegid())
    filled.parent.chmod(mode)
    assert asked() == (CODE, [])


def test_a_link_in_place_of_the_folder_is_not_followed(folder, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    (elsewhere / NAME).write_bytes(kept_as(NAME, EVIL))
    folder.parent.mkdir(mode=0o700)
    folder.symlink_to(elsewhere)
    found, said = asked()
    assert found is None
    assert len(said) == 1
    assert "is a link" in said[0]


def test_a_link_above_the_folder_is_followed_and_what_it_leads_to_is_looked_at(folder, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    folder.parent.symlink_to(elsewhere)
    cache.keep(NAME, CODE)
    assert (elsewhere / "kernels" / NAME).is_file()
    elsewhere.chmod(0o777)
    assert asked()[0] is None


def linked(path: Path) -> None:
    elsewhere = path.parent.parent / "elsewhere.o"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


FILES = {
    "of another user": pytest.param(given_away, marks=as_root),
    "that its group can write": lambda path: path.chmod(0o660),
    "that all can write": lambda path: path.chmod(0o602),
    "behind a link": linked,
    "that is a pipe": piped,
    "that is cut off": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "that is empty": lambda path: path.write_bytes(b""),
    "that is damaged": lambda path: path.write_bytes(path.read_bytes()[:-1] + b"?"),
    "of another kernel": lambda path: path.write_bytes(kept_as("lstm-avx2-0123.o", EVIL)),
}


@pytest.mark.parametrize("spoil", FILES.values(), ids=FILES)
def test_a_file_that_cannot_be_trusted_is_not_loaded_and_is_replaced(filled, spoil):
    spoil(filled / NAME)
    got: list[bytes | None] = []
    reader = threading.Thread(target=lambda: got.append(cache.found(NAME)), daemon=True)
    reader.start()
    reader.join(timeout=10)
    assert got == [None]  # and it did not wait for the other end of a pipe
    cache.keep(NAME, CODE)
    assert cache.found(NAME) == CODE
    assert stat.S_IMODE(os.lstat(filled / NAME).st_mode) == 0o600


def test_a_file_larger_than_any_kernel_is_not_read(filled, monkeypatch):
    monkeypatch.setattr("unrolled.kernels.cpu.trust.LARGEST", len(CODE))
    assert cache.found(NAME) is None


def test_a_folder_exchanged_after_it_was_looked_at_is_not_read(filled):
    with by_descriptor.open_shelf(filled) as shelf:
        filled.rename(filled.with_name("away"))
        filled.mkdir()
        (filled / NAME).write_bytes(kept_as(NAME, EVIL))
        assert shelf.read(NAME) == kept_as(NAME, CODE)
        shelf.write("new.o", CODE)
    assert not (filled / "new.o").exists()
    assert (filled.with_name("away") / "new.o").read_bytes() == CODE


def test_a_file_exchanged_between_look_and_reading_is_not_read(filled, monkeypatch):
    looked = by_descriptor.check_file

    def exchange(found: os.stat_result) -> None:
        looked(found)
        (filled / "evil").write_bytes(kept_as(NAME, EVIL))
        (filled / "evil").rename(filled / NAME)

    monkeypatch.setattr(by_descriptor, "check_file", exchange)
    assert cache.found(NAME) == CODE


def test_what_a_killed_process_left_is_removed_after_a_while(filled):
    old, young = filled / f".{NAME}.00.new", filled / f".{NAME}.01.new"
    for file in (old, young):
        file.write_bytes(b"half")
    os.utime(old, (0, 0))
    cache.keep(NAME, CODE)
    assert not old.exists()
    assert young.exists()


def test_a_folder_that_cannot_be_made_is_said_once(folder):
    folder.parent.write_text("a file", encoding="utf-8")
    found, said = asked()
    assert found is None
    assert len(said) == 1
    assert "cannot be used" in said[0]


PROGRAM = """
import os, sys, warnings
warnings.simplefilter("ignore")
from unrolled.kernels.cpu import cache
cache.keep("a.o", b"code")
(private,) = cache._instead.values()
assert cache.found("a.o") == b"code" and private.is_dir()
child = os.fork()
if not child:
    sys.exit(0)  # runs what is to be done at exit
os.waitpid(child, 0)
assert private.is_dir()
print(private)
"""


def test_a_private_folder_goes_with_its_process_and_not_with_a_child_of_it(filled):
    filled.chmod(0o777)
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=True)
    private = Path(done.stdout.strip())
    assert private.name.startswith("unrolled-")
    assert not private.exists()


def test_where_files_have_no_owners_only_the_users_profile_is_used(tmp_path, monkeypatch):
    home, outside = tmp_path / "home", tmp_path / "outside"
    home.mkdir()
    monkeypatch.setattr(Path, "home", lambda: home)
    monkeypatch.setattr(cache, "_open", by_path.open_shelf)
    monkeypatch.setattr(cache, "_instead", {})
    monkeypatch.setenv(cache.FOLDER_VARIABLE, str(home / "kernels"))
    cache.keep(NAME, CODE)
    assert asked() == (CODE, [])
    assert [file.name for file in (home / "kernels").iterdir()] == [NAME]
    (home / "link").symlink_to(outside)
    for place in (outside, home / "link"):
        monkeypatch.setenv(cache.FOLDER_VARIABLE, str(place))
        found, said = asked()
        assert found is None
        assert len(said) == 1
        assert "own folder" in said[0]
        assert not outside.exists()


def test_without_a_wish_the_folder_is_that_of_the_system(monkeypatch):
    monkeypatch.delenv(cache.FOLDER_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    if sys.platform == "linux":
        assert cache.wanted() == Path("/somewhere/unrolled/kernels")
    assert cache.wanted().parts[-2] == "unrolled" or sys.platform == "win32"
