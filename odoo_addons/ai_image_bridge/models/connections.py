"""Second connections to PostgreSQL: each request holds one, and the pool of a process has few more than requests."""

import threading

SECOND_CONNECTIONS = threading.BoundedSemaphore(4)
"""Held while a request takes another connection. Whoever holds it waits for no row that another request has locked."""
