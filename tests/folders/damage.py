"""Damage to a model folder: what disks, copies and strangers do to it."""

import copy
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from unrolled import disk
from unrolled.artifacts import seal
from unrolled.generations import MODEL, FileEntry

VALUES = (
    *(2**31, 2**63, 10**400, -1, 0, 1, 2, 3, 7, 1e308, -1e308, 1e-300, 0.5, -0.0),
    *(None, True, False, "", "x", "\x00", "lstm", "time", [], [0], [[]], ["a"], {}, {"a": 1}, [1e308] * 3),
)


def flip_bits(path: Path, draw: random.Random) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(draw.choice([1, 1, 2, 8])):
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    path.write_bytes(data)


def cut(path: Path, draw: random.Random) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: draw.randrange(len(data))])


def add_rest(path: Path, draw: random.Random) -> None:
    path.write_bytes(path.read_bytes() + draw.randbytes(draw.randrange(1, 99)))


def blank(path: Path, draw: random.Random) -> None:
    """A block of zeros, as after a power cut."""
    data = bytearray(path.read_bytes())
    start = draw.randrange(len(data))
    block = min(draw.choice([16, 512, 4096]), len(data) - start)
    data[start : start + block] = bytes(block)
    path.write_bytes(data)


def lose(path: Path, draw: random.Random) -> None:
    path.unlink()
    if draw.random() < 0.3:
        path.mkdir()


def empty(path: Path, draw: random.Random) -> None:
    path.write_bytes(b"")


ACCIDENTS: dict[str, Callable[[Path, random.Random], None]] = {
    "flipped bits": flip_bits,
    "cut short": cut,
    "longer": add_rest,
    "a block of zeros": blank,
    "lost": lose,
    "empty": empty,
}


def by_accident(folder: Path, draw: random.Random) -> str:
    """Damage one of a folder's files; says how."""
    how = draw.choice([*ACCIDENTS, "flipped bits", "flipped bits", "an edit"])
    if how == "an edit":
        record = json.loads((folder / MODEL).read_text())
        what = edit(record, draw)
        (folder / MODEL).write_text(json.dumps(record))
        return f"{MODEL}: {what}"
    path = draw.choice([folder / MODEL, next(folder.glob("weights-*"))])
    ACCIDENTS[how](path, draw)
    return f"{path.name}: {how}"


def on_purpose(folder: Path, draw: random.Random) -> str:
    """Change what a folder says, and make all digests right again; says how."""
    record = json.loads((folder / MODEL).read_text())
    if draw.random() < 0.2:
        (name,) = record["files"]
        what = edit_tensors(folder / name, draw)
        entry = FileEntry(name, disk.digest(folder / name), (folder / name).stat().st_size)
        (folder / MODEL).write_text(json.dumps(seal({**record, "files": entry.to_json()})))
        return f"{name}: {what}"
    plain = {
        key: value for key, value in record.items() if key not in ("format", "version", "sha256", "files", "texts")
    }
    what = edit(plain, draw)
    (folder / MODEL).write_text(json.dumps(seal({**plain, "files": record["files"], "texts": record["texts"]})))
    return f"{MODEL}: {what}"


def edit(record: dict[str, Any], draw: random.Random) -> str:
    """Change one place in JSON values, mostly of what was learnt; says which and how."""
    places = list(_places(record))
    first = draw.choice(sorted({path[0] for path, _ in places}) + ["learnt", "parameters"] * 3)
    some = [place for place in places if place[0][0] == first] or places
    path, holder = draw.choice(some)
    key, named = path[-1], ".".join(map(str, path))
    kind = draw.choice(["value"] * 5 + ["remove", "twice", "elsewhere"])
    if kind == "remove":
        del holder[key]
        return f"{named} removed"
    if kind == "twice" and isinstance(holder, list):
        holder.insert(key, copy.deepcopy(holder[key]))
        return f"{named} twice"
    if kind == "elsewhere":
        other, source = draw.choice(places)
        holder[key] = copy.deepcopy(source[other[-1]])
        return f"{named} is what {'.'.join(map(str, other))} was"
    old = holder[key]
    numbers = isinstance(old, int | float) and draw.random() < 0.3
    holder[key] = draw.choice([old + 1, old - 1, old * 2, -old]) if numbers else copy.deepcopy(draw.choice(VALUES))
    return f"{named} = {str(holder[key])[:40]} (was {str(old)[:40]})"


def edit_tensors(path: Path, draw: random.Random) -> str:
    tensors = load_file(path)
    tensors = {name: tensor.clone() for name, tensor in tensors.items()}
    path.unlink()
    name = draw.choice(sorted(tensors))
    how = draw.choice(["lost", "shape", "kind", "more", "nan", "huge", "less"])
    old = tensors[name]
    if how == "lost":
        del tensors[name]
    elif how == "shape":
        tensors[name] = old.reshape(1, *old.shape)
    elif how == "kind":
        tensors[name] = old.to(draw.choice([torch.float64, torch.int64, torch.float16, torch.uint8, torch.bool]))
    elif how == "more":
        tensors[name + "x"] = old.clone()
    elif how == "less":
        tensors[name] = old.flatten()[:1].clone()
    else:
        value = (float("nan") if how == "nan" else 3e38) if old.is_floating_point() else 2**62
        tensors[name] = torch.full_like(old, value if old.dtype not in (torch.uint8, torch.bool, torch.int32) else 1)
    save_file(tensors, path)
    return f"{name} {how}"


def _places(values: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every place in nested values, with what holds it."""
    keys = values if isinstance(values, dict) else range(len(values)) if isinstance(values, list) else ()
    for key in keys:
        yield (*path, key), values
        yield from _places(values[key], (*path, key))
