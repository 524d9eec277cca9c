"""What time brings: attempts that took too long, schedules, and messages to send again.

The server looks by itself; an embedded runtime has no thread for it and looks at each call about tasks or schedules.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..store import routing as tasks
from ..store import schedules
from .runs import run_due
from .tasks import expire, system

if TYPE_CHECKING:
    from ..operations import Invocation
    from ..runtime import Runtime
    from ..store.engine import Tx


def keep_up(runtime: Runtime, call: Invocation) -> None:
    """Do what is due for the caller's organisation, before its request is answered."""
    org_id = call.caller.org_id
    with runtime.store.read() as tx:
        due = tasks.overdue(tx, org_id) or schedules.due(tx, org_id)
        runtime.courier.look(tx, org_id)
    if due:
        catch_up(runtime, org_id)


def keep_all_up(runtime: Runtime) -> None:
    """Do what is due for every organisation."""
    with runtime.store.read() as tx:
        orgs = tasks.orgs_with_work(tx)
    for org_id in orgs:
        catch_up(runtime, org_id)


def catch_up(runtime: Runtime, org_id: str) -> None:
    """Do what is due for an organisation, in one transaction: of several workers only one finds it."""
    with runtime.store.write(org_id) as tx:
        expire(tx, org_id)
        run_due(tx, system(org_id))
        runtime.courier.look(tx, org_id)


def telling(run: Callable[[Tx, Invocation], Any]) -> Callable[[Tx, Invocation], Any]:
    """A use case after which what it left to tell is sent."""

    @functools.wraps(run)
    def use_case(tx: Tx, call: Invocation) -> Any:
        answer = run(tx, call)
        call.runtime.courier.look(tx, call.caller.org_id)
        return answer

    return use_case
