"""Processes that do one task after another, each of which may hang or die without harm to the others."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

T = TypeVar("T")
_Task = tuple["Future[Any]", Callable[..., Any], tuple[Any, ...], dict[str, Any]]
_CONTEXT = get_context("spawn")  # a fork of a process that runs threads, as torch does, may deadlock


class TooSlow(Exception):
    """A task took longer than it was given; its process was ended."""


class Died(Exception):
    """The process of a task ended before the task did."""


class Workers(Executor):
    """A `concurrent.futures.Executor` of processes, each fed by a thread of its own.

    Unlike `ProcessPoolExecutor`, a task that dies takes no other task with it, and one that takes longer than
    `timeout` seconds is ended; the futures then hold `Died` and `TooSlow`. A new process takes the place of the old.
    """

    def __init__(self, count: int, timeout: float | None = None, prepare: Callable[[], Any] = int) -> None:
        """`prepare` is called once in every process, and its time is not that of a task."""
        self._timeout = timeout
        self._prepare = prepare
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._processes: dict[int, Any] = {}
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._feed, args=(at,), daemon=True) for at in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Run `fn(*args, **kwargs)` in one of the processes; all of it must be picklable.

        Raises:
            RuntimeError: the executor is shut down.
        """
        if self._ended.is_set():
            raise RuntimeError("no task can be submitted after shutdown")
        future: Future[T] = Future()
        self._tasks.put((future, fn, args, kwargs))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the processes finish what was submitted; with `cancel_futures` end them, running tasks included."""
        self._ended.set()
        if cancel_futures:
            with contextlib.suppress(queue.Empty):
                while True:
                    task = self._tasks.get_nowait()
                    if task is not None:
                        task[0].cancel()
        for _ in self._threads:
            self._tasks.put(None)
        if cancel_futures:
            with self._lock:
                for process in self._processes.values():
                    process.kill()
        if wait:
            for thread in self._threads:
                thread.join()

    def _feed(self, at: int) -> None:
        """One worker's life: take a task, hand it to the process, hand the result to the future."""
        connection: Connection | None = None
        while (task := self._tasks.get()) is not None:
            future, *call = task
            if not future.set_running_or_notify_cancel():
                continue
            try:
                connection = connection or self._start(at)
                connection.send(call)
                if not connection.poll(self._timeout):
                    raise TooSlow(f"it took longer than {self._timeout:g} seconds")
                done, result = connection.recv()
            except Exception as error:
                told = error if isinstance(error, TooSlow | Died) else None
                if connection is not None:
                    connection.close()
                    connection = None
                ended = self._end(at, kill=told is not None)
                future.set_exception(told or Died(ended))
            else:
                (future.set_result if done else future.set_exception)(result)
        if connection is not None:
            connection.close()  # the process ends when it finds nobody there
        self._end(at, kill=False)

    def _start(self, at: int) -> Connection:
        """A new process, ready for its first task.

        Raises:
            Died: it could not get ready.
        """
        ours, theirs = _CONTEXT.Pipe()
        process = _CONTEXT.Process(target=_serve, args=(theirs, self._prepare), daemon=True)
        with self._lock:
            process.start()
            self._processes[at] = process
        theirs.close()
        try:
            ours.recv()
        except EOFError:
            raise Died(f"it could not start: {self._end(at, kill=False)}") from None
        return ours

    def _end(self, at: int, *, kill: bool) -> str:
        """End the process, and say how it ended."""
        with self._lock:
            process = self._processes.pop(at, None)
        if process is None:
            return "its process was ended"
        if kill:
            process.kill()
        process.join()
        code = process.exitcode or 0
        how = f"by signal {-code} ({signal.Signals(-code).name})" if code < 0 else f"with exit code {code}"
        return f"its process ended {how}"


def _serve(connection: Connection, prepare: Callable[[], Any]) -> None:
    """What a process does: answer one task after another until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process decides what an interrupt ends
    os.dup2(2, 1)  # standard output belongs to the parent's table
    prepare()
    connection.send(None)
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            function, args, kwargs = connection.recv()
            connection.send(_answer(function, args, kwargs))


def _answer(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[bool, Any]:
    try:
        return True, function(*args, **kwargs)
    except (Exception, SystemExit) as error:
        # The class may not be picklable, or not known to the other process.
        return False, RuntimeError(f"{type(error).__name__}: {error}")
