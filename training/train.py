"""Train the starter encoder in three stages, resumably.

image: the image tower starts from random weights and imitates the distillation teacher's maps;
text:  the text tower learns to find the teacher's features of a figure (the teacher is frozen);
joint: both towers learn together.
The first two need nothing of each other and may run side by side (--stages image and --stages text, one worker
each); joint starts from both. Each stage hands on its best epoch on the validation pairs (weights averaged over steps).
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import batches
import bundle
import numpy as np
import torch
from stages import ImageStage, JointStage, Recipe, TextStage
from student import Averaged, Student
from together import PORT, Team
from torch import nn

RECIPES = {
    "image": Recipe(batch=128, image_rate=2e-3, text_rate=0, whole=0.34, epochs=80, minutes=60),
    "text": Recipe(batch=256, image_rate=0, text_rate=1e-3, whole=0.5, epochs=7, minutes=60),
    "joint": Recipe(batch=256, image_rate=1e-3, text_rate=2e-4, whole=0.5, epochs=40, minutes=60, distil=1.0),
}


@dataclass
class Clock:
    """Where a stage is: steps done, seconds spent before this process began, best score so far, epochs done."""

    step: int = 0
    elapsed: float = 0.0
    best: float = -math.inf
    epoch: int = 0


class Trainer:
    """One process of the training of one stage."""

    def __init__(self, options: argparse.Namespace, name: str, team: Team) -> None:
        self.options, self.name, self.team = options, name, team
        self.work: Path = options.work
        self.recipe: Recipe = options.recipes[name]
        skeleton = self.work / "skeleton"
        packs = [batches.open_packed(folder) for folder in options.packs]
        if team.rank == 0 and not (skeleton / "config.json").exists():
            pool = batches.pool_of(packs, "train", with_text=True)
            texts = [text for number in range(len(pool)) for text in pool.texts(number)]
            bundle.write_skeleton(skeleton, options.trunk, texts)
        team.agree(0)
        torch.manual_seed(options.seed)
        self.student = Student(skeleton).to(options.device)
        torch.manual_seed(options.seed + 1 + team.rank)
        self.stage = self._stage(packs, skeleton)

    def _stage(self, packs: list[batches.Packed], skeleton: Path) -> Any:
        common = (self.student, packs, skeleton, self.team, self.options.seed)
        if self.name == "image":
            return ImageStage(*common)
        if self.name == "text":
            return TextStage(*common)
        seen, read = (
            torch.load(self.work / f"{stage}.pt", map_location=self.options.device, weights_only=True)
            for stage in ("image", "text")
        )
        mine = ("clip.visual.trunk.", "imitate.")
        self.student.load_state_dict({key: (seen if key.startswith(mine) else read)[key] for key in read})
        return JointStage(*common, data=self.options.data)

    def log(self, line: str) -> None:
        if self.team.rank:
            return
        stamped = f"{time.strftime('%H:%M:%S')} {line}"
        print(stamped, flush=True)
        with open(self.work / "log.txt", "a", encoding="utf-8") as file:
            file.write(stamped + "\n")

    def run(self) -> None:
        """Run the stage to its end, from its last finished epoch where there is one, and write STAGE.pt."""
        student, stage, recipe = self.student, self.stage, self.recipe
        if not (self.work / f"{self.name}.resume.pt").exists():
            stage.begin()
        averaged = Averaged(student)
        optimiser = self._optimiser()
        rates = [group["lr"] for group in optimiser.param_groups]
        groups = batches.groups_of(stage.pool)
        per_epoch = len(batches.epoch_of(groups, recipe.batch, recipe.hard, np.random.default_rng(0)))
        total = per_epoch * recipe.epochs
        clock = self._resume(averaged, optimiser)
        started = time.monotonic() - clock.elapsed
        progress = 0.0
        while progress < 1:
            losses: list[float] = []
            student.train()
            order = np.random.default_rng([self.options.seed, clock.epoch])
            for everybody in batches.epoch_of(groups, recipe.batch, recipe.hard, order):
                spent = (time.monotonic() - started) / 60
                progress = self.team.agree(max(clock.step / total, spent / recipe.minutes))
                if progress >= 1:
                    break
                warm = min(1.0, (clock.step + 1) / min(100, per_epoch))
                for group, rate in zip(optimiser.param_groups, rates, strict=True):
                    group["lr"] = rate * warm * (0.5 + 0.5 * math.cos(math.pi * progress))
                loss = stage.loss(everybody[self.team.rank :: self.team.size], recipe, progress)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                self.team.average(student.parameters())
                nn.utils.clip_grad_norm_(student.parameters(), 5.0)
                optimiser.step()
                averaged.update(student)
                losses.append(loss.item())
                clock.step += 1
            clock.epoch += 1
            clock.elapsed = time.monotonic() - started
            progress = self.team.agree(max(progress, clock.step / total))
            if self.team.rank == 0:
                self._end_of_epoch(averaged, optimiser, clock, losses)
        if self.team.rank == 0:
            (self.work / f"{self.name}.best.pt").replace(self.work / f"{self.name}.pt")

    def _resume(self, averaged: Averaged, optimiser: torch.optim.Optimizer) -> Clock:
        saved = self.work / f"{self.name}.resume.pt"
        if not saved.exists():
            return Clock()
        state = torch.load(saved, map_location=self.options.device, weights_only=True)
        self.student.load_state_dict(state["student"])
        averaged.module.load_state_dict(state["averaged"])
        optimiser.load_state_dict(state["optimiser"])
        clock = Clock(**state["clock"])
        averaged.steps = clock.step
        return clock

    def _end_of_epoch(
        self, averaged: Averaged, optimiser: torch.optim.Optimizer, clock: Clock, losses: list[float]
    ) -> None:
        """Check, log, keep the best, and save all that is needed to go on from here."""
        score, facts = self.stage.check(averaged.module)
        minutes = round(clock.elapsed / 60, 1)
        line = {"stage": self.name, "epoch": clock.epoch, "minutes": minutes, "loss": round(float(np.mean(losses)), 4)}
        self.log(json.dumps(line | facts | {"scale": round(self.student.scale.exp().item(), 1)}))
        if score > clock.best:
            clock.best = score
            torch.save(averaged.module.state_dict(), self.work / f"{self.name}.best.pt")
        state = {"student": self.student.state_dict(), "averaged": averaged.module.state_dict()}
        state |= {"optimiser": optimiser.state_dict(), "clock": vars(clock)}
        saved = self.work / f"{self.name}.resume.pt"
        torch.save(state, saved.with_suffix(".new"))
        saved.with_suffix(".new").replace(saved)

    def _optimiser(self) -> torch.optim.Optimizer:
        groups: list[dict[str, Any]] = [{"params": [self.student.scale], "lr": 1e-3, "weight_decay": 0.0}]
        for module, rate in self.stage.modules(self.recipe):
            flat = [value for value in module.parameters() if value.ndim < 2]
            deep = [value for value in module.parameters() if value.ndim >= 2]
            groups += [{"params": deep, "lr": rate, "weight_decay": self.options.decay}]
            groups += [{"params": flat, "lr": rate, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, betas=(0.9, 0.98))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder of corpora (validation figures are read from it)")
    parser.add_argument("packs", type=Path, nargs="+", help="packed folders, the one with validation pairs first")
    parser.add_argument("--work", type=Path, required=True, help="checkpoints and log; a started run continues")
    parser.add_argument("--trunk", default="regnetx_002", help="timm name of the image tower")
    parser.add_argument("--stages", default="image,text,joint", help="which to run, in this order")
    parser.add_argument("--minutes", type=float, help="at most so long for each stage (default: as in RECIPES)")
    parser.add_argument("--epochs", type=int, help="at most so many epochs of each stage")
    parser.add_argument("--decay", type=float, default=0.1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--workers", type=int, help="processes of one thread each (default: 2, on a GPU 1)")
    parser.add_argument("--port", type=int, default=PORT, help="where they meet; each run at a time needs its own")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.workers = options.workers or (2 if options.device == "cpu" else 1)
    options.work.mkdir(parents=True, exist_ok=True)
    changed = {name: value for name in ("minutes", "epochs") if (value := getattr(options, name)) is not None}
    options.recipes = {name: replace(recipe, **changed) for name, recipe in RECIPES.items()}
    for name in options.stages.split(","):
        if not (options.work / f"{name}.pt").exists():
            torch.multiprocessing.spawn(work, (options, name), nprocs=options.workers)
    if (options.work / "joint.pt").exists():
        print("finished; next: ship.py")


def work(rank: int, options: argparse.Namespace, name: str) -> None:
    """One process of the team."""
    torch.set_num_threads(1)
    Trainer(options, name, Team(rank, options.workers, options.port)).run()


if __name__ == "__main__":
    main()
