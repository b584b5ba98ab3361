"""Paid calls as Celery tasks over Redis, eight prefork workers.

Acknowledged late and rejected when a worker is lost: without these two Celery never finishes what was running
at the kill. What nobody acknowledged comes back after the visibility timeout, an hour by default and three
seconds here.
"""

from __future__ import annotations

import threading
import time

import redis
from celery import Celery

from shop import AT_ONCE, buy, told

count, place, url, key = told()  # the place is Redis's socket
app = Celery("shots", broker=f"redis+socket://{place}")
app.conf.update(
    broker_transport_options={"visibility_timeout": 3},
    broker_connection_retry_on_startup=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
)


@app.task(name="shot")  # type: ignore[untyped-decorator]
def shot(number: int) -> None:
    made = buy(number, url, key)
    redis.Redis(unix_socket_path=place).hset("bought", str(number), made)


def stop_when_done() -> None:
    book = redis.Redis(unix_socket_path=place)
    while book.hlen("bought") < count:
        time.sleep(0.1)
    app.control.shutdown()


if __name__ == "__main__":
    book = redis.Redis(unix_socket_path=place)
    if book.set("ordered", "1", nx=True):
        for number in range(count):
            shot.delay(number)
    threading.Thread(target=stop_when_done, daemon=True).start()
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=ERROR"]
    app.worker_main(["worker", f"--concurrency={AT_ONCE}", *quiet])
