"""Traces: electrocardiograms, electroencephalograms and spectra."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from retrieval.demo.canvas import Canvas
from retrieval.demo.kind import Attributes, Size
from retrieval.demo.palette import BLACK, COLOURS, Colour
from retrieval.demo.plot import Plot

Samples = NDArray[np.float64]
"""One value for each moment."""
PAPERS: dict[str, tuple[Colour, Colour, Colour]] = {
    "pink": ((255, 244, 244), (248, 214, 214), (236, 164, 164)),
    "green": ((244, 252, 244), (210, 234, 210), (150, 204, 150)),
    "white": ((255, 255, 255), (255, 255, 255), (255, 255, 255)),
}


def bump(t: Samples, at: float, wide: float, high: float) -> Samples:
    return np.asarray(high * np.exp(-(((t - at) / wide) ** 2)))


def beat(t: Samples, at: float, rhythm: str, p_wave: bool, ectopic: bool) -> Samples:
    if ectopic:
        return bump(t, at - 0.08, 0.07, 1.1) + bump(t, at + 0.14, 0.09, -0.7)
    wave = bump(t, at - 0.03, 0.012, -0.12) + bump(t, at, 0.015, 1.0) + bump(t, at + 0.035, 0.014, -0.22)
    wave += bump(t, at + 0.26, 0.05, 0.3)
    if p_wave:
        wave += bump(t, at - 0.16, 0.03, 0.14)
    if rhythm == "ST elevation":
        wave += bump(t, at + 0.14, 0.1, 0.42)
    if rhythm == "ST depression":
        wave += bump(t, at + 0.13, 0.07, -0.32)
    return np.asarray(wave)


def heartbeats(rhythm: str, seconds: float, rng: np.random.Generator) -> list[float]:
    pace = {"tachycardia": 0.45, "bradycardia": 1.5, "atrial fibrillation": 0.62}.get(rhythm, 0.85)
    times, at = [], 0.3
    while at < seconds:
        times.append(at)
        at += pace * (
            float(rng.uniform(0.6, 1.55)) if rhythm == "atrial fibrillation" else float(rng.uniform(0.98, 1.02))
        )
    return times


def ecg(a: Attributes, rng: np.random.Generator, size: Size) -> Image.Image:
    rhythm, leads = a["rhythm"], a["leads"]
    background, fine, coarse = PAPERS[a["paper"]]
    canvas = Canvas(size, background)
    for step, colour in ((6, fine), (30, coarse)):
        for x in range(0, size[0], step):
            canvas.line([(x, 0), (x, size[1])], colour, 0.6)
        for y in range(0, size[1], step):
            canvas.line([(0, y), (size[0], y)], colour, 0.6)
    seconds = size[0] / 75
    t = np.linspace(0, seconds, size[0] * 2)
    times = heartbeats(rhythm, seconds, rng)
    high = size[1] / leads
    for lead in range(leads):
        wave = rng.normal(0, 0.012, t.size)
        for i, at in enumerate(times):
            wave += beat(t, at, rhythm, rhythm != "atrial fibrillation", rhythm == "ectopic beats" and i % 4 == 2)
        if rhythm == "atrial fibrillation":
            wave += 0.06 * np.sin(2 * np.pi * 6.1 * t + lead) + 0.04 * np.sin(2 * np.pi * 8.3 * t)
        base, scale = high * (lead + 0.68), min(high * 0.5, 90) * (1 - 0.15 * (lead % 3))
        canvas.line(list(zip((t * 75).tolist(), (base - wave * scale).tolist(), strict=True)), BLACK, 1.2)
        canvas.text(8, high * lead + 10, ("I", "II", "III", "aVR", "V1", "V5")[lead], anchor="lm")
    return canvas.finish()


def eeg(a: Attributes, rng: np.random.Generator, size: Size) -> Image.Image:
    channels, activity, colour = a["channels"], a["activity"], COLOURS[a["colour"]]
    canvas = Canvas(size)
    t, high = np.linspace(0, 4, size[0]), size[1] / channels
    onset = float(rng.uniform(1.3, 1.8))
    for i in range(channels):
        wave = np.cumsum(rng.normal(0, 0.1, t.size))
        wave = wave - np.convolve(wave, np.ones(41) / 41, "same") + rng.normal(0, 0.08, t.size)
        if activity == "seizure":
            wave += np.where(
                t > onset,
                1.3 * np.sign(np.sin(2 * np.pi * 3 * t)) * np.abs(np.sin(2 * np.pi * 3 * t)) ** 5
                + 0.4 * np.sin(2 * np.pi * 3 * t),
                0,
            )
        elif activity == "alpha rhythm":
            wave += 0.7 * np.sin(2 * np.pi * 9.5 * t + i * 0.3)
        elif activity == "slow waves":
            wave += 1.0 * np.sin(2 * np.pi * 1.2 * t + i * 0.4)
        y = high * (i + 0.5) - wave * high * 0.3
        canvas.line(
            list(zip((34 + np.arange(t.size) * (size[0] - 40) / t.size).tolist(), y.tolist(), strict=True)), colour, 1.1
        )
        canvas.text(
            4, high * (i + 0.5), ("Fp1", "Fp2", "C3", "C4", "P3", "P4", "O1", "O2")[i], min(11, high * 0.6), "lm"
        )
    return canvas.finish()


def spectrum(a: Attributes, rng: np.random.Generator, size: Size) -> Image.Image:
    number: int = a["peaks"]
    kind, colour = a["spectrum"], COLOURS[a["colour"]]
    canvas = Canvas(size)
    span, axis, unit = {
        "mass": ((100.0, 1000.0), "m/z", "Relative abundance"),
        "infrared": ((400.0, 4000.0), "Wavenumber (1/cm)", "Transmittance (%)"),
        "NMR": ((0.0, 10.0), "Chemical shift (ppm)", "Intensity"),
        "absorbance": ((200.0, 800.0), "Wavelength (nm)", "Absorbance (a.u.)"),
    }[kind]
    plot = Plot(canvas, span, (0, 115))
    x = np.linspace(span[0], span[1], size[0])
    t = np.linspace(0, 1, x.size)
    centres = (np.arange(number) + 0.5 + rng.uniform(-0.25, 0.25, number)) / number * 0.9 + 0.05
    heights = rng.uniform(35, 100, number)
    heights[int(rng.integers(number))] = 100
    if kind == "mass":
        for c, h in zip(centres.tolist(), heights.tolist(), strict=True):
            at = span[0] + c * (span[1] - span[0])
            canvas.line([(plot.x(at), plot.bottom), (plot.x(at), plot.y(h))], colour, 2)
            canvas.text(plot.x(at), plot.y(h) - 7, f"{at:.0f}", canvas.text_size * 0.75)
        for c in rng.random(50).tolist():
            at = span[0] + c * (span[1] - span[0])
            canvas.line([(plot.x(at), plot.bottom), (plot.x(at), plot.y(float(rng.uniform(1, 7))))], colour, 1)
    else:
        wide = {"infrared": 0.014, "NMR": 0.004, "absorbance": 0.3 / number / 2.2}[kind]
        y = sum((bump(t, float(c), wide, float(h)) for c, h in zip(centres, heights, strict=True)), np.zeros(t.size))
        y = 100 - 0.85 * y if kind == "infrared" else y + 3
        y = np.clip(y + rng.normal(0, 0.5, t.size), 0, 112)
        canvas.line([(plot.x(p), plot.y(q)) for p, q in zip(x.tolist(), y.tolist(), strict=True)], colour, 1.6)
    return plot.finish(unit, axis)
