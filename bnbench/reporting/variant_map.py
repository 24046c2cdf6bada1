"""Which variant of one run is compared with which of another: by name, or by a map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bnbench.errors import SpecError


@dataclass(frozen=True)
class VariantPair:
    """A variant's name in each run; None if the run has no counterpart of it."""

    first: str | None
    second: str | None
    is_mapped: bool = False
    """Whether a map names the pair: then its networks may differ."""

    @property
    def label(self) -> str:
        """The name, or both if they differ."""
        if self.first is None or self.second is None or self.first == self.second:
            return self.first or self.second or ""
        return f"{self.first} = {self.second}"


def pair_variants(
    first: Sequence[str], second: Sequence[str], variant_map: Mapping[str, str]
) -> tuple[VariantPair, ...]:
    """Pair the variants of two runs, mapped ones by the map and the others by equal names.

    Args:
        first: names in the first run, in order.
        second: names in the second run, in order.
        variant_map: name in the first run to name in the second.

    Raises:
        SpecError: the map has a name that its run lacks, or uses a name of the second run twice.
    """
    for which, names, asked in (
        ("first", first, list(variant_map)),
        ("second", second, list(variant_map.values())),
    ):
        for name in asked:
            if name not in names:
                raise SpecError(
                    f"map: expected a variant of the {which} run ({', '.join(names)}), got "
                    f"{name!r}; write --map NAME_IN_FIRST=NAME_IN_SECOND"
                )
            if asked.count(name) > 1:
                raise SpecError(
                    f"map: expected each variant of the {which} run once, got {name!r} twice; "
                    "map it to one variant"
                )
    taken = set(variant_map.values())
    pairs = []
    for name in first:
        same_name = name if name in second and name not in taken else None
        pairs.append(VariantPair(name, variant_map.get(name, same_name), name in variant_map))
    paired = {pair.second for pair in pairs}
    pairs += [VariantPair(None, name) for name in second if name not in paired]
    return tuple(pairs)
