"""The section of the cells: what is compared."""

from pydantic import Field

from weightspace.config.types import Count, Strict

__all__ = ["CellsConfig"]


class CellsConfig(Strict):
    """A block of cells: every model with every scheme at every number of views."""

    models: list[str] = Field(min_length=1)
    schemes: list[str] = Field(min_length=1)
    views: list[Count] = Field(min_length=1)
