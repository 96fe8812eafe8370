"""The progress bar of a run: losses and time left."""

from __future__ import annotations

from typing import Dict

from tqdm import tqdm


class ProgressBar(tqdm):
    """A tqdm bar over steps that keeps showing the latest value of each number."""

    def __init__(self, steps: int, done: int, visible: bool) -> None:
        self._numbers: Dict[str, str] = {}
        super().__init__(total=steps, initial=done, disable=not visible, unit="step", dynamic_ncols=True)

    def show(self, **news: str) -> None:
        """Update some of the numbers behind the bar."""
        self._numbers.update(news)
        self.set_postfix(self._numbers)
