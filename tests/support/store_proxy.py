"""A way between the service and its store on which a test can slow every reply down, or break off in its middle."""

import contextlib
import socket
import threading
import time
from pathlib import Path

RECEIVE_BYTES = 65_536


class StoreProxy:
    """Takes connections at `path` and hands them on to `store`, both Unix sockets, until it is closed."""

    def __init__(self, path: Path, store: Path) -> None:
        self.delay_s = 0.0
        self._store = store
        self._cuts = 0
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(256)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def cut_replies(self, count: int) -> None:
        """Break off the next `count` replies after half of their bytes, with their connections."""
        with self._lock:
            self._cuts = count

    @property
    def cuts_left(self) -> int:
        return self._cuts

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        store = socket.socket(socket.AF_UNIX)
        try:
            store.connect(str(self._store))
        except OSError:
            client.close()
            return
        threading.Thread(target=self._hand_on, args=(client, store, False), daemon=True).start()
        self._hand_on(store, client, True)

    def _hand_on(self, source: socket.socket, target: socket.socket, are_replies: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(RECEIVE_BYTES):
                if are_replies:
                    time.sleep(self.delay_s)
                    if self._is_to_be_cut():
                        target.sendall(data[: len(data) // 2])
                        break
                target.sendall(data)
        for connection in (source, target):
            # Also wakes the thread of the other direction.
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _is_to_be_cut(self) -> bool:
        with self._lock:
            self._cuts, is_cut = max(0, self._cuts - 1), self._cuts > 0
            return is_cut
