"""The loop around the step: shuffled epochs, schedule, validation, best weights, checkpoints, a clean end.

Batches follow from the seed and the epoch, the learning rate from the step; so the counters and the tensors of the step
are the whole state, and a resumed run does exactly what an uninterrupted one does.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional

import numpy as np
import torch
from torch import Tensor

from sakeff.errors import TrainingError
from sakeff.signals import StopRequest, stop_request
from sakeff.training.bar import ProgressBar
from sakeff.training.contract import Step, Validation
from sakeff.training.graphed import fastest_step
from sakeff.training.log import MetricsLog, NoLog
from sakeff.training.schedule import Schedule
from sakeff.training.state import Progress, RunState, restore, save_state

MINUTE = 60.0


class Plan(NamedTuple):
    """How long, and how often what happens; steps unless the name says otherwise."""

    steps: int
    learning_rate: float
    schedule: Schedule
    validate_every: int
    log_every: int
    checkpoint_minutes: float
    patience: Optional[int]
    seed: int
    compile: bool


class Trainer:
    """Runs `step` over its store by `plan`. `documents` are kept with the state and returned by a resume.

    Only the process of rank 0 writes. A non-finite loss raises `TrainingError` before anything is written.
    """

    def __init__(
        self,
        step: Step,
        validator: Validation,
        plan: Plan,
        state_path: Path,
        log: MetricsLog | NoLog,
        documents: Dict[str, Any],
    ) -> None:
        self.step, self.validator, self.plan = step, validator, plan
        self.state_path, self.log, self.documents = state_path, log, documents
        self.progress = Progress()
        shadow = zip(step.update.average.names, step.update.average.shadow, strict=True)
        self.best: Dict[str, Tensor] = {name: weight.clone() for name, weight in shadow}
        self._rates = [group["lr"] for group in step.update.optimizer.param_groups]

    def restore(self, state: RunState) -> None:
        """Continue from a stored state. Raises `TrainingError` if it belongs to another configuration."""
        _check_same(self.documents, state.documents)
        restore(self._tensors(), state.tensors)
        self.progress = state.progress
        self.log.rewind(self.progress.step)

    def run(self, max_minutes: Optional[float] = None, show_progress: bool = True) -> Progress:
        """Train until the plan is fulfilled, patience ends, or `max_minutes` of this slice are over; state is saved.

        Raises `TrainingError` after SIGTERM or Ctrl-C, with the state saved, and for a non-finite loss.
        """
        clock = _Clock(self.progress.seconds, max_minutes)
        if self.progress.step == 0:
            self.save(clock)  # a run that is killed before its first checkpoint can be resumed too
        advance = self._prepare(self._epoch(self.progress.epoch)[0])
        with stop_request() as request, self._bar(show_progress) as bar:
            for indices in self._batches_left():
                self._set_rate()
                advance(indices)
                self._count_step()
                bar.update()
                self._react(clock, bar)
                if self._must_stop(clock, request):
                    break
            self.save(clock)
        if request.received and not self.progress.finished:
            raise TrainingError(
                f"{request.received} stopped the run at step {self.progress.step}; {self.state_path} holds its state, "
                "continue with --resume."
            )
        return self.progress

    @torch.no_grad()
    def apply_best(self) -> None:
        """Write the averaged weights that were best on the validation set into the trained module.

        Before the first validation these are the average as it is now.
        """
        average = self.step.update.average
        validated = math.isfinite(self.progress.best)
        parameters = dict(self.step.module.named_parameters())
        for name, now in zip(average.names, average.shadow, strict=True):
            parameters[name].copy_(self.best[name] if validated else now)

    def save(self, clock: _Clock) -> None:
        """Write the state, unless the loss or the weights went non-finite since the last look."""
        weights = torch.stack(torch._foreach_norm(self.step.update.average.weights)).sum().detach()
        self._check_finite(float(self.step.sums[-2] + weights))
        self.progress.seconds = clock.total()
        if self.step.world.rank == 0:
            save_state(self.state_path, RunState(self._tensors(), replace(self.progress), self.documents))
        clock.saved()

    def _batches_left(self) -> Iterator[Tensor]:
        """The share of this process in every batch, from the stored place to the end of the plan."""
        while not self.progress.finished:
            table = self._epoch(self.progress.epoch)
            for indices in table[self.progress.batch :]:
                yield indices
                if self.progress.finished:
                    return
            self.progress.epoch, self.progress.batch = self.progress.epoch + 1, 0

    def _prepare(self, indices: Tensor) -> Callable[[Tensor], None]:
        """The step in its fastest form for batches of this shape."""
        if self.plan.compile:
            self.step.compile(indices)
        return fastest_step(self.step, indices)

    def _epoch(self, epoch: int) -> Tensor:
        """All frames once in random order, as (batches, structures) for this process."""
        store, world = self.step.store, self.step.world
        order = np.random.default_rng([self.plan.seed, epoch]).permutation(len(store))
        table = self.step.table(order)
        missing = -len(table) % world.size
        empty = np.full((missing, table.shape[1]), len(store), np.int64)
        return torch.as_tensor(np.concatenate([table, empty])[world.rank :: world.size], device=store.device)

    def _set_rate(self) -> None:
        for rate in self._rates:
            rate.fill_(self.plan.learning_rate * self.plan.schedule(self.progress.step))

    def _count_step(self) -> None:
        self.progress.step += 1
        self.progress.batch += 1
        self.progress.finished = self.progress.step >= self.plan.steps

    def _react(self, clock: _Clock, bar: ProgressBar) -> None:
        """Whatever is due after this step: log, validation, checkpoint."""
        step, last = self.progress.step, self.progress.finished
        if step % self.plan.log_every == 0 or last:
            self._log_training(clock, bar)
        if step % self.plan.validate_every == 0 or last:
            self._validate(clock, bar)
        if self._agreed(clock.since_save() > self.plan.checkpoint_minutes * MINUTE):
            self.save(clock)

    def _log_training(self, clock: _Clock, bar: ProgressBar) -> None:
        sums = self.step.sums.clone().cpu()  # a copy also on the CPU
        self.step.sums.zero_()
        loss, steps = sums[-2:].tolist()
        self._check_finite(loss)
        self._append("train", loss / steps, self.step.metrics(sums[:-2]), clock)
        bar.show(train=f"{loss / steps:.3g}")

    def _validate(self, clock: _Clock, bar: ProgressBar) -> None:
        with self.step.update.average.applied():
            loss, metrics = self.validator(self.step.module)
        self._check_finite(loss)
        self._append("validation", loss, metrics, clock)
        if loss < self.progress.best:
            self.progress.best, self.progress.vain = loss, 0
            for best, average in zip(self.best.values(), self.step.update.average.shadow, strict=True):
                best.copy_(average)
        else:
            self.progress.vain += 1
        if self.plan.patience is not None and self.progress.vain >= self.plan.patience:
            self.progress.finished = True
        headline = self.validator.headline
        bar.show(validation=f"{loss:.3g}", **{headline: f"{metrics[headline]:.3g}"})

    def _append(self, split: str, loss: float, metrics: Dict[str, float], clock: _Clock) -> None:
        place = {"step": self.progress.step, "epoch": self.progress.epoch, "split": split, "loss": loss}
        rate = self.plan.learning_rate * self.plan.schedule(self.progress.step - 1)
        self.log.append({**place, **metrics, "learning_rate": rate, "minutes": round(clock.total() / MINUTE, 3)})

    def _must_stop(self, clock: _Clock, request: StopRequest) -> bool:
        return self._agreed(clock.over() or request.received is not None)

    def _agreed(self, wish: bool) -> bool:
        """Whether any process wishes it; asked now and then only, because the question costs a message."""
        return self.progress.step % self.step.world.ask_every == 0 and self.step.world.any(wish)

    def _check_finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss is not finite near step {self.progress.step}; lower the learning rate or check the labels. "
                f"The last good state, if there was one, is still in {self.state_path}."
            )

    def _tensors(self) -> Dict[str, Tensor]:
        best = {f"best.{name}": value for name, value in self.best.items()}
        return {**self.step.state(), **best, **self.step.constants()}

    def _bar(self, show: bool) -> ProgressBar:
        return ProgressBar(self.plan.steps, self.progress.step, show and self.step.world.rank == 0)


class _Clock:
    """Seconds of this slice, of all slices, and since the last checkpoint."""

    def __init__(self, before: float, max_minutes: Optional[float]) -> None:
        self._before, self._start = before, time.monotonic()
        self._save, self._limit = self._start, math.inf if max_minutes is None else max_minutes * MINUTE

    def total(self) -> float:
        return self._before + time.monotonic() - self._start

    def over(self) -> bool:
        return time.monotonic() - self._start >= self._limit

    def since_save(self) -> float:
        return time.monotonic() - self._save

    def saved(self) -> None:
        self._save = time.monotonic()


def _check_same(now: Dict[str, Any], stored: Dict[str, Any]) -> None:
    different: List[str] = sorted(key for key in {*now, *stored} if now.get(key) != stored.get(key))
    if different:
        raise TrainingError(
            f"the stored run differs in {', '.join(different)}; resume with the configuration and data it began with."
        )
