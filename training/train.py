"""Train the starter encoder in three stages, resumably.

text:  the text tower learns to find the distillation teacher's features of a figure (the teacher is frozen);
image: the image tower starts from random weights, imitates the teacher, and learns to find the text tower's vectors;
joint: both towers learn together.
Each stage keeps its best epoch on the validation pairs (weights averaged over steps) and hands it to the next.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import batches
import bundle
import numpy as np
import torch
from numpy.typing import NDArray
from pack import open_rgb
from PIL import Image
from ranks import hit_rate
from student import Averaged, Student, contrast
from together import PORT, Team
from torch import Tensor, nn
from torch.nn import functional

STAGES = ("text", "image", "joint")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one stage is run; `whole` is the probability of seeing the whole figure rather than a crop."""

    batch: int
    image_rate: float
    text_rate: float
    whole: float
    distil: float
    epochs: int
    minutes: float


def side_at(progress: float) -> int:
    """Pixels of a side in the image stage: small figures first, they cost half as much and teach nearly as well."""
    return 96 if progress < 0.5 else 112 if progress < 0.75 else bundle.SIZE


class Trainer:
    """One process of the training."""

    def __init__(self, options: argparse.Namespace, team: Team) -> None:
        self.options, self.team = options, team
        self.skeleton: Path = options.work / "skeleton"
        packs = [batches.open_packed(folder) for folder in options.packs]
        self.pool = batches.pool_of(packs, "train", with_text=True)
        self.silent = batches.pool_of(packs, "train", with_text=False)
        self.validation = batches.pool_of(packs[:1], "validation", with_text=True)
        if team.rank == 0 and not (self.skeleton / "config.json").exists():
            texts = [text for number in range(len(self.pool)) for text in self.pool.texts(number)]
            bundle.write_skeleton(self.skeleton, options.trunk, texts)
        team.agree(0)
        torch.manual_seed(options.seed)
        self.student = Student(self.skeleton)
        torch.manual_seed(options.seed + 1 + team.rank)
        self.rng = np.random.default_rng([options.seed, team.rank])
        self.words = batches.Words(self.skeleton, drop=0.1)
        self.whole_words = batches.Words(self.skeleton, drop=0.0)
        sample = np.concatenate([pack.teacher[:4000:4, 0].astype(np.float32) for pack in packs[:1]])
        self.centre, self.spread = torch.from_numpy(sample.mean(0)), torch.from_numpy(sample.std(0) + 0.1)
        self.held_pixels = self._held_pixels(options.data)
        self.fixed_texts: Tensor | None = None

    def _held_pixels(self, data: Path) -> Tensor:
        """Validation figures as the bundle's transform gives them."""
        rows = []
        for pack, row in self.validation.where:
            image = open_rgb(data / self.validation.packs[pack].rows[row]["image"])
            small = image.resize((bundle.SIZE, bundle.SIZE), Image.Resampling.BICUBIC)
            rows.append(torch.from_numpy(np.array(small)).permute(2, 0, 1))
        return torch.stack(rows).float().div_(127.5).sub_(1)

    def standard(self, features: Tensor) -> Tensor:
        return (features - self.centre) / self.spread

    def run(self) -> None:
        for stage in STAGES:
            done = self.options.work / f"{stage}.pt"
            if not done.exists():
                self.train_stage(stage, self.options.recipes[stage])
            self.team.agree(0)
            self.student.load_state_dict(torch.load(done, weights_only=True))
            if stage == "text":
                self.student.scale.data.clamp_(max=math.log(40))
                self.fixed_texts = self._fixed_texts()
        if self.team.rank == 0:
            bundle.save(self.student.clip, self.skeleton)
        self.log(f"saved {self.skeleton}")

    def log(self, line: str) -> None:
        if self.team.rank:
            return
        stamped = f"{time.strftime('%H:%M:%S')} {line}"
        print(stamped, flush=True)
        with open(self.options.work / "log.txt", "a", encoding="utf-8") as file:
            file.write(stamped + "\n")

    def train_stage(self, stage: str, recipe: Recipe) -> None:
        """Run one stage to its end, from its last finished epoch where there is one, and write STAGE.pt."""
        student, pool = self.student, self.silent if stage == "image" else self.pool
        averaged = Averaged(student)
        optimiser = self._optimiser(stage, recipe)
        rates = [group["lr"] for group in optimiser.param_groups]
        per_epoch = len(pool) // recipe.batch
        total, step, elapsed, best, first = per_epoch * recipe.epochs, 0, 0.0, -1.0, 0
        saved = self.options.work / f"{stage}.resume.pt"
        if saved.exists():
            state = torch.load(saved, weights_only=True)
            student.load_state_dict(state["student"])
            averaged.module.load_state_dict(state["averaged"])
            optimiser.load_state_dict(state["optimiser"])
            step, elapsed, best, first = state["step"], state["elapsed"], state["best"], state["epoch"]
            averaged.steps = step
        started = time.monotonic() - elapsed
        losses: list[list[float]] = []
        self._mode(stage)
        feed = batches.epochs(len(pool), recipe.batch, np.random.default_rng([self.options.seed, first]))
        current = 0
        for epoch, everybody in feed:
            progress = self.team.agree(max(step / total, (time.monotonic() - started) / 60 / recipe.minutes))
            if epoch != current or progress >= 1:
                current = epoch
                elapsed = time.monotonic() - started
                if self.team.rank == 0:
                    best = max(best, self.check(averaged.module, stage, first + epoch, elapsed, losses, best))
                    state = {"student": student.state_dict(), "averaged": averaged.module.state_dict()}
                    state |= {"optimiser": optimiser.state_dict(), "step": step, "elapsed": elapsed}
                    torch.save(state | {"best": best, "epoch": first + epoch}, saved)
                losses = []
                self._mode(stage)
            if progress >= 1:
                break
            numbers = everybody[self.team.rank :: self.team.size]
            warm = min(1.0, (step + 1) / min(100, per_epoch))
            for group, rate in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = rate * warm * (0.5 + 0.5 * math.cos(math.pi * progress))
            size = bundle.SIZE if stage == "joint" else side_at(progress)
            loss, parts = self.loss(stage, pool, numbers, recipe, size)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            self.team.average(student.parameters())
            nn.utils.clip_grad_norm_(student.parameters(), 5.0)
            optimiser.step()
            averaged.update(student)
            losses.append(parts)
            step += 1
        if self.team.rank == 0:
            (self.options.work / f"{stage}.best.pt").replace(self.options.work / f"{stage}.pt")

    def _mode(self, stage: str) -> None:
        self.student.train()
        if stage == "image":
            self.student.clip.text.eval()

    def _optimiser(self, stage: str, recipe: Recipe) -> torch.optim.Optimizer:
        student = self.student
        sides: dict[str, list[tuple[nn.Module, float]]] = {
            "text": [(student.clip.text, recipe.text_rate), (student.read_teacher, recipe.text_rate)],
            "image": [(student.clip.visual, recipe.image_rate), (student.imitate, recipe.image_rate)],
        }
        sides["joint"] = [*sides["image"], (student.clip.text, recipe.text_rate)]
        groups: list[dict[str, Any]] = [{"params": [student.scale], "lr": 1e-3, "weight_decay": 0.0}]
        for module, rate in sides[stage]:
            flat = [value for value in module.parameters() if value.ndim < 2]
            deep = [value for value in module.parameters() if value.ndim >= 2]
            groups += [{"params": deep, "lr": rate, "weight_decay": self.options.decay}]
            groups += [{"params": flat, "lr": rate, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, betas=(0.9, 0.98))

    def loss(
        self, stage: str, pool: batches.Pool, numbers: NDArray[np.int64], recipe: Recipe, size: int
    ) -> tuple[Tensor, list[float]]:
        student = self.student
        boxes, features = batches.choose_views(pool, numbers, self.rng, recipe.whole)
        target = self.standard(features)
        if stage == "text":
            images = student.read_teacher(target)
            value = contrast(images, self.read_words(pool, numbers), student.scale, self.team)
            return value, [value.item()]
        pixels = batches.pixels_of(pool, numbers, boxes, self.rng, size)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            pooled = student.clip.visual.trunk(pixels)
            images = student.clip.visual.head(pooled).float()
            guess = student.imitate(pooled).float()
        distance = 1 - functional.cosine_similarity(guess, target, dim=-1).mean()
        if stage == "image":
            with torch.no_grad():
                wanted = student.read_teacher(target)
            distance = distance + 1 - functional.cosine_similarity(images, wanted, dim=-1).mean()
            texts = self.pick_fixed(pool, numbers, wanted)
        else:
            texts = self.read_words(pool, numbers)
        value = contrast(images, texts, student.scale, self.team)
        return value + recipe.distil * distance, [value.item(), distance.item()]

    def read_words(self, pool: batches.Pool, numbers: NDArray[np.int64]) -> Tensor:
        tokens = self.words([batches.wording(pool.texts(number), self.rng) for number in numbers], self.rng)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return batches.encode_words(self.student.clip.text, tokens)

    @torch.no_grad()
    def _fixed_texts(self) -> Tensor:
        """Vectors of every text of the silent pool, in order, by the finished text tower."""
        self.student.eval()
        texts = [text for number in range(len(self.silent)) for text in self.silent.texts(number)]
        self.first_text = np.cumsum([0] + [len(self.silent.texts(number)) for number in range(len(self.silent))])
        tokens = self.whole_words(texts)
        return torch.cat(
            [batches.encode_words(self.student.clip.text, tokens[i : i + 512], 8) for i in range(0, len(tokens), 512)]
        )

    def pick_fixed(self, pool: batches.Pool, numbers: NDArray[np.int64], wanted: Tensor) -> Tensor:
        """A text vector of each figure; for figures without text the `wanted` image vector stands in."""
        assert self.fixed_texts is not None
        counts = [len(pool.texts(number)) for number in numbers]
        at = [
            self.first_text[n] + self.rng.integers(count) if count else 0
            for n, count in zip(numbers, counts, strict=True)
        ]
        has_text = torch.tensor(counts).bool()[:, None]
        return torch.where(has_text, self.fixed_texts[torch.tensor(at)], wanted)

    @torch.no_grad()
    def check(
        self, student: Any, stage: str, epoch: int, elapsed: float, losses: list[list[float]], best: float
    ) -> float:
        """hit_rate@10 on the validation pairs, mean of both directions; one line in the log; a best student is kept."""
        student.eval()
        tokens = self.whole_words([self.validation.texts(number)[0] for number in range(len(self.validation))])
        texts = functional.normalize(batches.encode_words(student.clip.text, tokens, 16), dim=-1).numpy()
        if stage == "text":
            held = np.stack([self.validation.packs[pack].teacher[row, 0] for pack, row in self.validation.where])
            images = student.read_teacher(self.standard(torch.from_numpy(held).float()))
        else:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                images = torch.cat([student.clip.visual(part) for part in self.held_pixels.split(128)]).float()
        images = functional.normalize(images, dim=-1).numpy()
        there, back = hit_rate(texts, images), hit_rate(images, texts)
        mean = np.mean(losses, axis=0).round(3).tolist()
        facts = {"stage": stage, "epoch": epoch, "minutes": round(elapsed / 60, 1), "loss": mean}
        facts |= {"t2i": round(there, 4), "i2t": round(back, 4), "scale": round(student.scale.exp().item(), 1)}
        self.log(json.dumps(facts))
        if (there + back) / 2 > best:
            torch.save(student.state_dict(), self.options.work / f"{stage}.best.pt")
        return (there + back) / 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder of corpora (validation figures are read from it)")
    parser.add_argument("packs", type=Path, nargs="+", help="packed folders, the one with validation pairs first")
    parser.add_argument("--work", type=Path, required=True, help="checkpoints and log; a started run continues")
    parser.add_argument("--trunk", default="regnetx_002", help="timm name of the image tower")
    parser.add_argument("--minutes", default="8,35,20", help="at most so long for each stage")
    parser.add_argument("--epochs", default="12,30,10", help="at most so many epochs of each stage")
    parser.add_argument("--distil", type=float, default=2.0, help="weight of imitating the teacher against contrast")
    parser.add_argument("--decay", type=float, default=0.1)
    parser.add_argument("--text-batch", type=int, default=512)
    parser.add_argument("--text-rate", type=float, default=1e-3)
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--port", type=int, default=PORT, help="where they meet; each run at a time needs its own")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    minutes = [float(part) for part in options.minutes.split(",")]
    most = [int(part) for part in options.epochs.split(",")]
    rate, distil = options.text_rate, options.distil
    options.recipes = {
        "text": Recipe(options.text_batch, 0.0, rate, 0.5, 0.0, most[0], minutes[0]),
        "image": Recipe(128, 2e-3, 0.0, 0.34, distil, most[1], minutes[1]),
        "joint": Recipe(256, 5e-4, rate / 4, 0.5, distil / 4, most[2], minutes[2]),
    }
    torch.multiprocessing.spawn(work, (options,), nprocs=options.workers)


def work(rank: int, options: argparse.Namespace) -> None:
    """One process of the team."""
    torch.set_num_threads(1)
    Trainer(options, Team(rank, options.workers, options.port)).run()


if __name__ == "__main__":
    main()
