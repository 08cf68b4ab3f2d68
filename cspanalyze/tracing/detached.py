"""Parts of a forward pass that run with gradients switched off, by `torch.no_grad()` and its like."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from torch.autograd import Function
from torch.autograd.grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled


class Watcher(Protocol):
    """Who is told: `detached` is kept at whether gradients are switched off."""

    detached: bool


_NAMES = {
    no_grad: ("__enter__", "__exit__"),
    enable_grad: ("__enter__", "__exit__"),
    inference_mode: ("__enter__", "__exit__"),
    set_grad_enabled: ("__init__", "__enter__", "__exit__", "__call__"),
}
_lock = threading.Lock()
_watched: dict[int, Watcher] = {}  # by thread
_kept: list[tuple[Any, str, Any]] = []


@contextmanager
def detached_parts_told(watcher: Watcher) -> Iterator[None]:
    """Inside, `watcher.detached` follows the switches that Python code throws in this thread.

    A trace runs in inference mode, where autograd's own flag is off throughout and tells nothing, so torch's context
    managers are watched themselves. What they do inside of an own `autograd.Function` has no effect: that has a
    backward pass of its own (so has reentrant checkpointing).
    """
    thread = threading.get_ident()
    with _lock:
        if not _watched:
            _install()
        outer, _watched[thread] = _watched.get(thread), watcher
    try:
        yield
    finally:
        with _lock:
            if outer is None:
                del _watched[thread]
            else:
                _watched[thread] = outer
            if not _watched:
                _remove()


def _install() -> None:
    for kind, names in _NAMES.items():
        for name in names:
            _replace(kind, name, _switch(kind, name, vars(kind)[name]))
    _replace(Function, "apply", classmethod(_apply(vars(Function)["apply"].__func__)))


def _replace(owner: Any, name: str, new: Any) -> None:
    _kept.append((owner, name, vars(owner)[name]))
    setattr(owner, name, new)


def _remove() -> None:
    while _kept:
        owner, name, original = _kept.pop()
        setattr(owner, name, original)


def _switch(kind: Any, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    """The method, after which the watcher knows what it did; a switch keeps what was so before it."""

    def told(self: Any, *args: Any) -> Any:
        watcher = _watched.get(threading.get_ident())
        before = watcher is not None and watcher.detached
        result = original(self, *args)
        if watcher is None:
            return result
        if name in ("__exit__", "__call__"):
            watcher.detached = vars(self).get("_detached_before", False)
        else:
            if name == "__init__" or kind is not set_grad_enabled:
                vars(self)["_detached_before"] = before
            watcher.detached = _switches_off(self)
        return result

    return told


def _switches_off(switch: Any) -> bool:
    if isinstance(switch, set_grad_enabled):
        return not switch.mode
    return isinstance(switch, no_grad) or (isinstance(switch, inference_mode) and switch.mode)


class _Unheard:
    """Stands in for a watcher while nothing is to be told."""

    detached = False


def _apply(original: Callable[..., Any]) -> Callable[..., Any]:
    def apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
        thread = threading.get_ident()
        watcher = _watched.get(thread)
        if watcher is None:
            return original(cls, *args, **kwargs)
        _watched[thread] = _Unheard()
        try:
            return original(cls, *args, **kwargs)
        finally:
            _watched[thread] = watcher

    return apply
