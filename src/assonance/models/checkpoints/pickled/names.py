"""Say which names in a pickle stand for data, and build that data; nothing is imported."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from assonance.errors import printable
from assonance.models.checkpoints.pickled.stored import (
    GET_AGAIN,
    SAVE_AGAIN,
    Record,
    Refused,
    StoredTensor,
    are_counts,
    malformed,
    place_tensor,
)

_STORAGES = {
    **{"DoubleStorage": "F64", "FloatStorage": "F32", "HalfStorage": "F16"},
    **{"BFloat16Storage": "BF16", "LongStorage": "I64", "IntStorage": "I32"},
    **{"ShortStorage": "I16", "CharStorage": "I8", "ByteStorage": "U8", "BoolStorage": "BOOL"},
}
_BUILT = {
    "collections.OrderedDict",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_parameter",
    "torch.nn.parameter.Parameter",
    "torch.Size",
}
_RECORDS = {
    "argparse.Namespace",
    "fairseq.data.dictionary.Dictionary",
    *(
        f"fairseq.{module}.{name}"
        for module in ("meters", "logging.meters")
        for name in ("AverageMeter", "StopwatchMeter", "TimeMeter")
    ),
}
_DEVICES = ("cpu", "cuda", "mps", "xpu", "hpu", "npu", "xla", "mtia", "privateuseone")
_QUANTISED = (
    "quantised weights, which are not supported; get the weights as they were before quantisation"
)
_COMPLEX = "complex numbers, which are not supported; save real numbers"
_UNSUPPORTED = {
    "_rebuild_qtensor": _QUANTISED,
    **dict.fromkeys(("QInt8Storage", "QUInt8Storage", "QInt32Storage"), _QUANTISED),
    **dict.fromkeys(("QUInt4x2Storage", "QUInt2x4Storage"), _QUANTISED),
    **dict.fromkeys(("ComplexFloatStorage", "ComplexDoubleStorage"), _COMPLEX),
    "_rebuild_sparse_tensor": "sparse tensors, which are not supported; save them again after "
    "to_dense()",
    "_rebuild_tensor_v3": "tensors of 8-bit floats or unsigned integers, which are not supported; "
    "save them again as float32",
    "_rebuild_meta_tensor_no_storage": f"tensors without numbers (on device meta); {GET_AGAIN}",
}


@dataclass(frozen=True)
class Name:
    """A name that a pickle would have imported."""

    text: str


class ByteStream(Protocol):
    """What a pickle is read from."""

    def read(self, size: int, /) -> bytes:
        """Read up to `size` bytes."""
        ...

    def readline(self) -> bytes:
        """Read up to and including the next newline."""
        ...


def element_type(name: str) -> str | None:
    """Return the type of the elements of a storage class as safetensors names it, if known."""
    module, _, kind = name.rpartition(".")
    return _STORAGES.get(kind) if module in ("torch", "torch.cuda") else None


def is_device(text: str) -> bool:
    """Return whether a text names a device as torch.save does, such as ``"cuda:0"``."""
    kind, colon, number = text.partition(":")
    return kind in _DEVICES and (not colon or (number.isascii() and number.isdigit()))


def read_name(stream: ByteStream) -> Name:
    """Read the name of a class or function, if it is one of those that stand for data."""
    lines = stream.readline(), stream.readline()
    if not all(line.endswith(b"\n") for line in lines):
        raise Refused(f"is cut short; {GET_AGAIN}")
    module, name = (line[:-1].decode("utf-8", "backslashreplace") for line in lines)
    text = f"{module}.{name}"
    if module.partition(".")[0] == "torch" and name in _UNSUPPORTED:
        raise Refused(f"holds {_UNSUPPORTED[name]}")
    if name.endswith("TrainingArguments"):
        raise Refused("holds the arguments of a trainer; name the file of the weights")
    if text in _RECORDS or text in _BUILT:
        return Name(text)
    if element_type(text):
        return Name(text)
    shown = text if len(text) <= 100 else f"{text[:100]}…"
    raise Refused(
        f"holds a pickled {printable(shown)}, and only tensors and plain settings are read; "
        f"{SAVE_AGAIN}"
    )


def build(name: str, arguments: tuple[Any, ...]) -> Any:
    """Return the data that calling a name with these arguments stands for."""
    match name, arguments:
        case "collections.OrderedDict", ():
            return {}
        case "collections.OrderedDict", (list(pairs),):
            if not all(type(pair) in (list, tuple) and len(pair) == 2 for pair in pairs):
                raise malformed("a dictionary is not made of pairs")
            built: dict[Any, Any] = {}
            fill(built, ((key, value) for key, value in pairs))
            return built
        case (
            "torch._utils._rebuild_tensor_v2",
            (storage, offset, shape, stride, bool(), dict(), *metadata),
        ):
            if len(metadata) > 1 or any(metadata):
                raise malformed("a tensor is a negated or conjugated view")
            return place_tensor(storage, offset, shape, stride)
        case "torch._utils._rebuild_tensor", (storage, offset, shape, stride):
            return place_tensor(storage, offset, shape, stride)
        case "torch._utils._rebuild_parameter", (StoredTensor() as tensor, bool(), dict()):
            return tensor
        case "torch.nn.parameter.Parameter", (StoredTensor() as tensor,):
            return tensor
        case "torch.nn.parameter.Parameter", (StoredTensor() as tensor, bool()):
            return tensor
        case "torch.Size", (list() | tuple() as sizes,) if are_counts(sizes):
            return tuple(sizes)
        case _, () if name in _RECORDS:
            return Record(name)
    raise malformed(f"{name} has other arguments than torch.save writes")


def fill(target: Any, pairs: Iterable[tuple[Any, Any]]) -> None:
    """Put items into a dictionary."""
    if type(target) is not dict:
        raise malformed("its pickle sets an item of what is not a dictionary")
    for key, value in pairs:
        # The hash of a tuple would recurse, and large integers can be made to collide.
        simple = type(key) in (str, float, bool, type(None))
        if not simple and not (type(key) is int and abs(key) < 2**60):
            raise malformed("a key is neither text nor a number")
        target[key] = value
