"""Builds frozen dataclasses from mappings that were read from JSON or TOML."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from bnbench.errors import SpecError

Record = TypeVar("Record")


class MappingError(SpecError):
    """A mapping does not fit its dataclass; `key` is the dotted path of the wrong entry."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(f"{key}: {text}" if key else text)
        self.key = key


def build_from_mapping(record_type: type[Record], mapping: object, path: str = "") -> Record:
    """Build a `record_type` from `mapping`.

    Lists become tuples, and whole numbers become floats, if the field has that type.

    Raises:
        MappingError: a key is unknown, missing or mistyped, or the dataclass refuses a value.
    """
    if not isinstance(mapping, Mapping):
        raise MappingError(path, f"expected a table of keys, got {_describe(mapping)}")
    fields = {field.name: field for field in dataclasses.fields(record_type)}  # type: ignore[arg-type]
    for key in mapping:
        if key not in fields:
            raise MappingError(
                _join(path, str(key)), f"expected one of {', '.join(fields)}; got an unknown key"
            )
    hints = _get_type_hints(record_type)  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in mapping:
            values[name] = convert(hints[name], mapping[name], _join(path, name))
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise MappingError(_join(path, name), "expected a value, got none; add the key")
    try:
        return record_type(**values)
    except SpecError as error:
        name, _, text = str(error).partition(": ")
        if name in fields:
            raise MappingError(_join(path, name), text) from None
        raise MappingError(path, str(error)) from None


# Cached, since it compiles each annotation again; ten thousand trials have half a million.
_get_type_hints = functools.cache(typing.get_type_hints)


def convert(hint: Any, value: object, path: str) -> Any:  # noqa: C901 - one branch per kind of type
    """Convert a value read from JSON or TOML to the type of an annotation.

    Raises:
        MappingError: the value, or one within it, does not fit the type.
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in arguments:
            return None
        inner = [argument for argument in arguments if argument is not type(None)]
        fitting = [each for each in inner if type(value) is each or _is_table_of(each, value)]
        return convert(fitting[0] if fitting else inner[0], value, path)
    if origin is Literal:
        if value in arguments:
            return value
        raise MappingError(
            path, f"expected one of {', '.join(map(str, arguments))}; got {_describe(value)}"
        )
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise MappingError(path, f"expected a list, got {_describe(value)}")
        if arguments[0] is int and all(type(item) is int for item in value):
            return tuple(value)  # a manifest has ten thousand predictions
        return tuple(
            convert(arguments[0], item, f"{path}[{index}]") for index, item in enumerate(value)
        )
    if origin is dict:
        if not isinstance(value, Mapping):
            raise MappingError(path, f"expected a table of keys, got {_describe(value)}")
        return {
            str(key): convert(arguments[1], item, _join(path, str(key)))
            for key, item in value.items()
        }
    if isinstance(hint, type) and issubclass(hint, dict):
        if not isinstance(value, Mapping):
            raise MappingError(path, f"expected a table of keys, got {_describe(value)}")
        try:
            return hint(value)
        except SpecError as error:
            raise MappingError(path, str(error).partition(": ")[2]) from None
    if dataclasses.is_dataclass(hint):
        return build_from_mapping(typing.cast("type", hint), value, path)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
        return value
    names = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
    raise MappingError(path, f"expected {names.get(hint, hint)}, got {_describe(value)}")


def _is_table_of(hint: object, value: object) -> bool:
    return dataclasses.is_dataclass(hint) and isinstance(value, Mapping)


def _describe(value: object) -> str:
    return "nothing" if value is None else repr(value)


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
