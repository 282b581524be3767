"""Attempts that end in every way there is: `params["count"]` of them, a sixteenth by a time-out."""

import os
import signal

from eventflow import PythonOperator, Workflow, current_context


def numbers() -> list[int]:
    return list(range(current_context().params["count"] * 15 // 16))


def slow_numbers() -> list[int]:
    return list(range(current_context().params["count"] // 16))


def end_somehow(number: int) -> int:
    """Half raise; of the others some are killed, and some leave a process of theirs behind."""
    match number % 8:
        case 0 | 1 | 2 | 3:
            raise ValueError(number)
        case 4:
            os.kill(os.getpid(), signal.SIGKILL)
        case 5:
            if os.fork() == 0:
                os.setsid()
                signal.pause()
    return number


def end_by_the_time_out(number: int) -> None:
    current_context().wait(600)


with Workflow("many") as workflow:
    all_of_them = PythonOperator("numbers", numbers)
    slow = PythonOperator("slow_numbers", slow_numbers)
    PythonOperator("quick", end_somehow, max_active_items=16, allow_failure=True).map(
        all_of_them.output
    )
    PythonOperator(
        "slow", end_by_the_time_out, max_active_items=8, timeout=0.2, allow_failure=True
    ).map(slow.output)
