"""Make FAISS indexes, and tell what they can do: how deep they are searched, whether they take a filter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from retrieval.errors import QueryError
from retrieval.indexes.faiss_import import faiss

FEWEST_TRAINING_ROWS = 1  # so that FAISS prints no warning for every small collection


def empty_index(factory: str, rows: int, dim: int) -> Any:
    """The FAISS index that `factory` names, not yet trained for `rows` vectors of `dim` numbers.

    Raises QueryError where FAISS does not know the factory, where it numbers or re-ranks rows itself, which is done
    here for every index, or where the rows are too few.
    """
    try:
        index = faiss.index_factory(dim, factory, faiss.METRIC_INNER_PRODUCT)
    except Exception as error:  # whatever its parser and allocator throw
        raise QueryError(
            f"{factory}: not a factory string that FAISS understands for dimension {dim}; try Flat or IVF256,Flat"
        ) from error
    if isinstance(index, faiss.IndexRefine | faiss.IndexIDMap | faiss.IndexIDMap2):
        raise QueryError(f"{factory}: rows are numbered and ranked exactly for every index; leave Refine and IDMap out")
    ivf = inverted_lists(index)
    if ivf is not None:
        if rows < ivf.nlist:
            raise QueryError(f"{factory}: {rows} rows cannot train {ivf.nlist} lists; use Flat or fewer lists")
        ivf.cp.min_points_per_centroid = FEWEST_TRAINING_ROWS
    return index


def inner(index: Any) -> Any:
    """The index behind transformations of the vectors, such as OPQ."""
    index = faiss.downcast_index(index)
    return inner(index.index) if isinstance(index, faiss.IndexPreTransform) else index


def inverted_lists(index: Any) -> Any:
    """The IVF index among them, or None."""
    index = inner(index)
    return index if isinstance(index, faiss.IndexIVF) else None


def depth_parameter(index: Any) -> str | None:
    """FAISS's name for what makes a search deeper, or None where it always reads everything."""
    if inverted_lists(index) is not None:
        return "nprobe"
    return "efSearch" if isinstance(inner(index), faiss.IndexHNSW) else None


def takes_filter(index: Any) -> bool:
    return depth_parameter(index) is not None


def search_parameters(index: Any, values: Mapping[str, int], selector: Any = None) -> Any:
    """Passed with each call rather than set on the index, so that two threads cannot mix theirs."""
    if isinstance(faiss.downcast_index(index), faiss.IndexPreTransform):
        within = search_parameters(inner(index), values, selector)
        return None if within is None else faiss.SearchParametersPreTransform(index_params=within)
    depth = depth_parameter(index)
    if depth is None:
        return None
    chosen: dict[str, Any] = {depth: values[depth]} if depth in values else {}
    if selector is not None:
        chosen["sel"] = selector
    return faiss.SearchParametersIVF(**chosen) if depth == "nprobe" else faiss.SearchParametersHNSW(**chosen)
