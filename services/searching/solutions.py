"""The solutions of a service, as ``TWINLOG_SOLUTIONS`` lists them: whose searches go where when they do not say.

    {"acme":  {"subjects": ["nginx:acme-*", "keycloak:acme"], "namespaces": ["com.acme", "com.acme.lab"],
               "default-namespace": "com.acme"},
     "farms": {"subjects": ["farms:*"], "namespaces": ["farm.one", "farm.two"]}}

A solution is the account of a customer. A search that names no namespaces goes to the default namespace of the caller's
solution, or to all of its namespaces where it has no default. Other namespaces may always be named: what is found there
is for policies to say. A caller whose subjects belong to several solutions searches those of each; one that belongs to
none searches everywhere, as everybody does when no solutions are configured.

Source: the product's documentation on search, *Search defaults*.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Annotated

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator

SolutionNamespace = Annotated[str, Field(pattern=r"^[a-zA-Z]\w*([.-][a-zA-Z]\w*)*$")]


class Solution(BaseModel):
    """Whose subjects it has (``*`` stands for any characters), and where they search."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    subjects: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)
    namespaces: tuple[SolutionNamespace, ...] = Field(min_length=1)
    default_namespace: SolutionNamespace | None = Field(
        default=None, validation_alias=AliasChoices("default-namespace", "default_namespace", "defaultNamespace")
    )

    @model_validator(mode="after")
    def _default_is_one_of_them(self) -> Solution:
        if self.default_namespace is not None and self.default_namespace not in self.namespaces:
            raise ValueError("the default namespace is none of the solution's namespaces")
        return self

    @property
    def searched(self) -> tuple[str, ...]:
        """The namespaces of a search that names none."""
        return self.namespaces if self.default_namespace is None else (self.default_namespace,)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        ways = (".*".join(map(re.escape, pattern.split("*"))) for pattern in self.subjects)
        return re.compile("|".join(ways), re.DOTALL)

    def has(self, subjects: Iterable[str]) -> bool:
        """Whether one of the caller's subjects belongs to the solution."""
        return any(self._pattern.fullmatch(subject) for subject in subjects)


def searched_by(subjects: Iterable[str], solutions: Mapping[str, Solution]) -> tuple[str, ...] | None:
    """The namespaces that a caller searches without naming any; ``None`` for all."""
    own = tuple(subjects)
    found = [name for solution in solutions.values() if solution.has(own) for name in solution.searched]
    return tuple(dict.fromkeys(found)) or None
