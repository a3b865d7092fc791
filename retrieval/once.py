"""Resources that are opened at their first use, once, however many threads ask for them at the same time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Once(Generic[Key, Value]):
    """Values by key, each made by the first caller while others wait; at most `size` are kept.

    The maker is passed at each call and not kept, so that an owner and its resources form no reference cycle and are
    freed as soon as nobody holds them.
    """

    def __init__(self, size: int | None = None) -> None:
        self._size = size
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._making: dict[Key, Lock] = {}
        self._lock = Lock()

    def get(self, key: Key, make: Callable[[Key], Value]) -> Value:
        """The value of `key`, made by `make(key)` if it is not there. What `make` raises is tried again next time."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
            making = self._making.setdefault(key, Lock())
        with making:
            with self._lock:
                if key in self._values:
                    return self._values[key]
            value = make(key)
            with self._lock:
                self._values[key] = value
                self._making.pop(key, None)
                while self._size is not None and len(self._values) > self._size:
                    self._values.popitem(last=False)
            return value

    def put(self, key: Key, value: Value) -> None:
        """Keep a value that was made elsewhere, in the place of any other."""
        with self._lock:
            self._values[key] = value

    def clear(self) -> list[Value]:
        """Forget all values; gives them to whoever wants to close them."""
        with self._lock:
            values = list(self._values.values())
            self._values.clear()
        return values
