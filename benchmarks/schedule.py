"""Simulate when a run ends on many workers: tasks in stages, and files on one shared storage.

Workers take the tasks of a stage in their order, each as soon as it is free. A task first moves its
bytes to or from the storage, which serves one request after the other, and then computes. The next
stage begins when the last task has ended and the run itself has done its part. Nothing is drawn at
random.
"""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """Work that one process does without a break.

    Attributes
    ----------
    seconds
        Of computing, on one core.
    moved
        Bytes that it reads from the shared storage and writes to it.
    """

    seconds: float = 0.0
    moved: float = 0.0

    def alone(self, bandwidth: float) -> float:
        """Return the seconds that it takes when nothing else uses the storage."""
        return self.seconds + self.moved / bandwidth


NOTHING = Part()


@dataclass(frozen=True)
class Stage:
    """Tasks that any worker can do, and what the run itself does after the last of them.

    Attributes
    ----------
    name
        Name of the stage.
    tasks
        The tasks, in their order.
    opening
        What each worker does before its first task.
    after
        What the run does when all tasks are done.
    """

    name: str
    tasks: Sequence[Part]
    opening: Part = NOTHING
    after: Part = NOTHING

    def seconds(self, workers: int, bandwidth: float) -> float:
        """Return the time from the start of the stage to its end.

        Parameters
        ----------
        workers
            Number of workers, of one core each.
        bandwidth
            Bytes that the storage moves in a second.
        """
        served = ended = 0.0  # when the storage is free, and when the last task has ended
        used = min(workers, len(self.tasks))
        free = [(0.0, worker) for worker in range(used)]
        opened = set[int]()
        waiting = iter(self.tasks)
        for _ in range(used + len(self.tasks)):
            start, worker = heapq.heappop(free)
            part = next(waiting) if worker in opened else self.opening
            opened.add(worker)
            if part.moved:
                start = served = max(served, start) + part.moved / bandwidth
            ended = max(ended, start + part.seconds)
            heapq.heappush(free, (start + part.seconds, worker))
        return ended + self.after.alone(bandwidth)

    def limits(self, workers: int, bandwidth: float) -> Mapping[str, float]:
        """Return the seconds below which the stage cannot come, by what limits it.

        Parameters
        ----------
        workers, bandwidth
            As for `seconds`.
        """
        used = min(workers, len(self.tasks))
        moved = used * self.opening.moved + sum(each.moved for each in self.tasks)
        longest = max((each.alone(bandwidth) for each in self.tasks), default=0.0)
        computing = sum(each.seconds for each in self.tasks) / max(used, 1)
        opening = self.opening.alone(bandwidth) if used else 0.0
        return {
            "computing": computing,
            "the shared storage": moved / bandwidth,
            "its longest task": longest,
            "what each worker opens first": opening,
            "the process of the run": self.after.alone(bandwidth),
        }
