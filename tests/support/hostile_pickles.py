"""Files as torch.save writes them, instruction by instruction, and what an attacker makes of them.

Nothing here uses a pickler, so a file can hold what no pickler would write.
"""

import io
import pickle
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

PROTOCOL, STOP, MARK, REDUCE, NONE = b"\x80\x02", b".", b"(", b"R", b"N"
MAGIC = b"\x8a\x0a" + (0x1950A86A20F9469CFC6C).to_bytes(10, "little")
SYSTEM = {"protocol_version": 1001, "little_endian": True}


def text(value: str) -> bytes:
    encoded = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def old_text(value: str) -> bytes:
    """Text as Python 2 wrote it."""
    return b"U" + bytes([len(value)]) + value.encode("ascii")


def whole(value: int) -> bytes:
    if -(2**31) <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    size = value.bit_length() // 8 + 1
    return b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True)


def name(dotted: str) -> bytes:
    module, _, last = dotted.rpartition(".")
    return f"c{module}\n{last}\n".encode()


def tuple_of(*parts: bytes) -> bytes:
    return MARK + b"".join(parts) + b"t"


def list_of(*parts: bytes) -> bytes:
    return b"](" + b"".join(parts) + b"e"


def dict_of(items: Mapping[str, bytes]) -> bytes:
    return b"}(" + b"".join(text(key) + value for key, value in items.items()) + b"u"


def call(dotted: str, *arguments: bytes) -> bytes:
    return name(dotted) + tuple_of(*arguments) + REDUCE


def sizes(values: tuple[int, ...]) -> bytes:
    return tuple_of(*map(whole, values))


def storage(
    key: bytes = text("0"),
    kind: str = "torch.FloatStorage",
    elements: int = 4,
    *more: bytes,
    word: bytes = text("storage"),
) -> bytes:
    return tuple_of(word, name(kind), key, text("cpu"), whole(elements), *more) + b"Q"


def tensor(
    of: bytes = storage(),
    offset: int = 0,
    shape: tuple[int, ...] = (4,),
    stride: tuple[int, ...] = (1,),
) -> bytes:
    hooks = call("collections.OrderedDict")
    parts = (of, whole(offset), sizes(shape), sizes(stride), b"\x89", hooks)
    return call("torch._utils._rebuild_tensor_v2", *parts)


def program(body: bytes) -> bytes:
    return PROTOCOL + body + STOP


def system_call(command: str = "true") -> bytes:
    return call("posix.system", text(command))


def write_zip(
    path: Path,
    body: bytes,
    storages: Mapping[str, bytes] | None = None,
    *,
    order: bytes | None = b"little",
    kind: int = zipfile.ZIP_STORED,
    doubled: bool = False,
) -> Path:
    """Write the zip form."""
    storages = {"0": bytes(range(16))} if storages is None else storages
    entries = [("data.pkl", program(body)), *((f"data/{k}", v) for k, v in storages.items())]
    entries += [("version", b"3\n"), *[("byteorder", order)] * (order is not None)]
    with zipfile.ZipFile(path, "w", kind) as archive:
        for last, contents in [*entries, *entries[:1] * doubled]:
            # A name twice makes zipfile warn, unless it does not see it.
            archive.NameToInfo.clear()
            archive.writestr(f"weights/{last}", contents)
    return path


def write_legacy(
    path: Path,
    body: bytes,
    storages: Mapping[str, bytes] | None = None,
    *,
    magic: bytes = MAGIC,
    width: int = 4,
    system: Mapping[str, object] = SYSTEM,
) -> Path:
    """Write the older form."""
    storages = {"0": bytes(range(16))} if storages is None else storages
    parts = [program(magic), program(whole(1001)), pickle.dumps(dict(system), 2), program(body)]
    parts.append(program(list_of(*map(text, storages))))
    for contents in storages.values():
        parts.append(struct.pack("<q", len(contents) // width) + contents)
    path.write_bytes(b"".join(parts))
    return path


def with_wrong_checksum(path: Path) -> Path:
    """Change a byte of the first storage and nothing else."""
    contents = path.read_bytes()
    path.write_bytes(contents.replace(bytes(range(16)), b"\x40" + bytes(range(1, 16)), 1))
    return path


def with_directory(path: Path, offset: int, value: bytes) -> Path:
    """Change what the directory of a zip file states about its second entry, the storage."""
    contents = bytearray(path.read_bytes())
    entry = contents.index(b"PK\x01\x02", contents.index(b"PK\x01\x02") + 1)
    contents[entry + offset : entry + offset + len(value)] = value
    path.write_bytes(contents)
    return path


GOOD = {"weight": tensor()}
DEEP = 200_000


def _bomb() -> bytes:
    """A list of ten references to a list of ten references to …, thirty deep."""
    body = b"]q\x00"
    for number in range(30):
        body += b"](" + b"h" + bytes([number]) + (b"h" + bytes([number])) * 9 + b"e"
        body += b"q" + bytes([number + 1])
    return tuple_of(body)


def _bodies() -> dict[str, bytes]:
    """Pickles to refuse, in either form, by what is wrong with them."""
    storage_of = {
        "a path as key": text("../../etc/passwd"),
        "a key without a storage": text("7"),
        "a key that is no text": whole(0),
    }
    tensors = {
        "reach beyond the storage": tensor(shape=(5,)),
        "an offset beyond the storage": tensor(offset=2, shape=(3,)),
        "a stride beyond the storage": tensor(shape=(2, 2), stride=(3, 1)),
        "a negative offset": tensor(offset=-1),
        "a negative stride": tensor(offset=3, stride=(-1,)),
        "a zero stride": tensor(shape=(100,), stride=(0,)),
        "an overlapping window": tensor(shape=(2, 3), stride=(1, 1)),
        "a negative size": tensor(shape=(-4,)),
        "an impossible size": tensor(shape=(2**61, 2**61), stride=(1, 1)),
        "a shape without strides": tensor(stride=()),
        "more claimed than stored": tensor(storage(elements=2**40), shape=(2**40,)),
        "less claimed than stored": tensor(storage(elements=2), shape=(2,)),
        "negative elements": tensor(storage(elements=-4)),
        "a type of another width": tensor(storage(kind="torch.DoubleStorage")),
        "quantised": tensor(storage(kind="torch.QInt8Storage")),
        "complex": tensor(storage(kind="torch.ComplexFloatStorage")),
        "a storage that is a class": tensor(storage(kind="collections.OrderedDict")),
        "a module for a storage": tensor(storage(word=text("module"))),
        "a view of a storage": tensor(
            storage(text("0"), "torch.FloatStorage", 4, tuple_of(text("1"), whole(0), whole(4)))
        ),
        "an item set on a tensor": tensor() + text("a") + NONE + b"s",
        "items added to a tensor": tensor() + MARK + NONE + b"e",
        "attributes set on a tensor": tensor() + b"}b",
        **{what: tensor(storage(key)) for what, key in storage_of.items()},
    }
    two_ways = {"a": tensor(), "b": tensor(storage(kind="torch.IntStorage"))}
    sparse = call("torch._utils._rebuild_sparse_tensor", NONE, NONE)
    return {
        "os.system": dict_of({"weight": system_call()}),
        "nt.system": dict_of({"weight": call("nt.system", text("true"))}),
        "subprocess": call("subprocess.check_output", text("true")),
        "eval": call("builtins.eval", text("1 + 1")),
        "exec of Python 2": call("__builtin__.eval", text("1 + 1")),
        "nested torch.load": call("torch.load", text("weights")),
        "torch.hub": call("torch.hub.load", text("a/b"), text("c")),
        "getattr": call("builtins.getattr", name("collections.OrderedDict"), text("clear")),
        "a codec": call("_codecs.encode", text("a"), text("latin1")),
        "a dotted name": b"ccollections\nOrderedDict.fromkeys\n" + tuple_of(list_of()) + REDUCE,
        "a dotted module": b"ctorch._utils._rebuild_tensor_v2\n__globals__\n",
        "an optimizer's class": name("torch.optim.adam.Adam") + b")\x81}b",
        "a trainer's class": name("transformers.training_args.TrainingArguments") + b")\x81}b",
        "a pickled module": name("torch.nn.modules.linear.Linear") + b")\x81}b",
        "INST": MARK + text("true") + b"iposix\nsystem\n",
        "OBJ": MARK + name("posix.system") + text("true") + b"o",
        "STACK_GLOBAL": text("posix") + text("system") + b"\x93" + tuple_of(text("true")) + REDUCE,
        "EXT1": b"\x82\x01",
        "EXT2": b"\x83\x01\x00",
        "EXT4": b"\x84\x01\x00\x00\x00",
        "NEWOBJ_EX": name("argparse.Namespace") + b")}\x92",
        "a persistent id as text": b"P0\n",
        "a frame of protocol 4": b"\x80\x04\x95" + bytes(8) + NONE,
        "an unknown instruction": b"\xff",
        "a call of data": dict_of({}) + b")R",
        "a call without arguments": name("posix.system") + b"R",
        "a call of a state": name("argparse.Namespace") + b"]R",
        "attributes that are no attributes": name("argparse.Namespace") + b")\x81" + b"]b",
        "an empty stack": b"0",
        "nothing to take": b"s",
        "a mark alone": MARK,
        "no mark": b"t",
        "an unknown reference": b"h\x05",
        "a key that is a list": b"}]Ns",
        "a key that is deep": b"})" + b"\x85" * DEEP + NONE + b"s",
        "a key without a value": b"}(" + text("a") + b"u",
        "keys made to collide": b"}(" + whole(2**61 - 1) + NONE + b"u",
        "lists within lists": b"]" * DEEP + b"a" * (DEEP - 1),
        "tuples within tuples": b")" + b"\x85" * DEEP,
        "marks within marks": MARK * DEEP + b"t" * DEEP,
        "a list within itself": b"]q\x00h\x00a",
        "a memo bomb": _bomb(),
        "a long pickle": MARK + NONE * 1_200_000 + b"t",
        "a text longer than the file": b"X" + struct.pack("<I", 2**32 - 1),
        "a storage described in two ways": dict_of(two_ways),
        "sparse": dict_of({"weight": sparse}),
        "nothing": b"",
        "no weights": dict_of({"step": whole(3)}),
        "an optimizer's state": dict_of({"state": b"}", "param_groups": b"]"}),
        "a tensor without a name": tensor(),
        "a name that is no text": b"}" + whole(3) + tensor() + b"s",
        "a name that is half a character": dict_of({"\ud800": tensor()}),
        "a name that safetensors keeps": dict_of({"__metadata__": tensor()}),
        "large settings": dict_of({"weight": tensor(), "cfg": text("x" * 2**21)}),
        **{what: dict_of({"weight": body}) for what, body in tensors.items()},
    }


def write_hostile(folder: Path) -> dict[str, Path]:
    """Write every file that must be refused; by what is wrong with it."""
    folder.mkdir(exist_ok=True)
    numbers = iter(range(10_000))

    def place() -> Path:
        return folder / f"{next(numbers):03}.bin"

    files = {}
    for what, body in _bodies().items():
        storages = {"0": bytes(range(16))} if b"storage" in body else {}
        files[what] = write_zip(place(), body, storages)
        files[f"{what}, older form"] = write_legacy(place(), body, storages)
    good = dict_of(GOOD)
    one = tensor(storage(elements=4_096), shape=(4_096,))
    shared = dict_of({f"weight{number}": one for number in range(100)})
    files |= {
        "one storage a hundred times": write_zip(place(), shared, {"0": bytes(4 * 4_096)}),
        "code as the magic number": write_legacy(place(), good, magic=system_call()),
        "another magic number": write_legacy(place(), good, magic=whole(7)),
        "a big-endian file": write_zip(place(), good, order=b"big"),
        "an older big-endian file": write_legacy(place(), good, system={"little_endian": False}),
        "a compressed file": write_zip(place(), good, kind=zipfile.ZIP_DEFLATED),
        "a name twice": write_zip(place(), good, doubled=True),
        "a missing storage": write_zip(place(), good, {}),
        "an older file with a missing storage": write_legacy(place(), good, {}),
        "an older file with another storage": write_legacy(place(), good, {"1": bytes(16)}),
        "an encrypted storage": with_directory(write_zip(place(), good), 8, b"\x01"),
        "a storage in another's place": with_directory(write_zip(place(), good), 42, bytes(4)),
        "a storage of another size": with_directory(write_zip(place(), good), 20, b"\x08"),
        "a storage beyond the file": with_directory(
            write_zip(place(), good), 20, b"\xff" * 3 + b"\0" + b"\xff" * 3
        ),
        "a wrong checksum": with_wrong_checksum(write_zip(place(), good)),
    }
    whole_files = {"zip": write_zip(place(), good), "older": write_legacy(place(), good)}
    for form, path in whole_files.items():
        contents = path.read_bytes()
        for size in (1, 3, len(contents) // 2, len(contents) - 1):
            cut = files[f"{form} form, cut to {size} bytes"] = place()
            cut.write_bytes(contents[:size])
        path.unlink()
    longer = files["older form, longer than its contents"] = place()
    longer.write_bytes(contents + b"\0")
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1269737156\n"
    others = {
        "an LFS pointer": pointer,
        "text": b"These are not the weights.\n",
        "HTML": b"\n<!DOCTYPE html><html><body>Not found</body></html>",
        "nothing at all": b"",
        "a tar archive": bytes(257) + b"ustar" + bytes(250),
        "a gzip file": b"\x1f\x8b\x08" + bytes(100),
        "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(100),
        "safetensors": (2).to_bytes(8, "little") + b"{}",
        "noise": bytes(range(200, 256)) * 10,
        "a zip file of something else": _other_zip({"a.txt": b"a"}),
        "TorchScript": _other_zip({"m/data.pkl": program(good), "m/constants.pkl": b""}),
    }
    for what, contents in others.items():
        files[what] = place()
        files[what].write_bytes(contents)
    return files


def _other_zip(entries: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for each, contents in entries.items():
            archive.writestr(each, contents)
    return buffer.getvalue()
