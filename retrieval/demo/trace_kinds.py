"""How traces may look and what is said of them."""

from __future__ import annotations

from retrieval.demo.kind import FigureKind
from retrieval.demo.traces import PAPERS, ecg, eeg, spectrum

KINDS = (
    FigureKind(
        name="ECG",
        modality="trace",
        options={
            "rhythm": (
                "sinus rhythm",
                "tachycardia",
                "bradycardia",
                "atrial fibrillation",
                "ST elevation",
                "ST depression",
                "ectopic beats",
            ),
            "leads": (1, 2, 3, 4, 6),
            "paper": tuple(PAPERS),
        },
        principal=("rhythm", "paper", "leads"),
        draw=ecg,
        leads=(
            "[Electrocardiogram|ECG|ECG tracing] [showing|with] {rhythm} in {leads:lead}, {paper}",
            "{rhythm} [on|in] a {leads}-lead ECG [recording|strip] ({paper})",
            "[Electrocardiographic tracing|ECG], {leads:lead}: {rhythm}; {paper}",
        ),
        clauses=("{look}", "[Recorded on|Printed on] {paper}"),
        derive=lambda a: {"look": str(a["rhythm"])},
        words={
            "rhythm": {
                "sinus rhythm": "[normal sinus rhythm|sinus rhythm]",
                "tachycardia": "[sinus tachycardia|tachycardia]",
                "bradycardia": "[sinus bradycardia|bradycardia]",
                "ST elevation": "[ST elevation|ST-segment elevation]",
                "ST depression": "[ST depression|ST-segment depression]",
                "ectopic beats": "[premature ventricular beats|ventricular extrasystoles|ventricular ectopic beats]",
            },
            "paper": {
                "pink": "[pink grid|pink paper]",
                "green": "[green grid|green paper]",
                "white": "[plain white paper|white paper without grid]",
            },
            "look": {
                "sinus rhythm": "[P waves precede every QRS complex|The rate is normal]",
                "tachycardia": "[The rate is fast|Complexes follow closely]",
                "bradycardia": "[The rate is slow|Beats are far apart]",
                "atrial fibrillation": (
                    "[The rhythm is irregular, without P waves|RR intervals vary and P waves are absent]"
                ),
                "ST elevation": "[The ST segment is raised|Raised ST segments suggest infarction]",
                "ST depression": "The ST segment lies below the baseline",
                "ectopic beats": "[Broad complexes interrupt the rhythm|Wide QRS complexes occur early]",
            },
        },
        sizes=((560, 260), (600, 240), (520, 320), (640, 300)),
    ),
    FigureKind(
        name="EEG",
        modality="trace",
        options={
            "activity": ("seizure", "alpha rhythm", "slow waves", "background activity"),
            "channels": (4, 5, 6, 8),
            "colour": ("black", "blue", "red", "green", "purple"),
        },
        principal=("activity", "channels", "colour"),
        draw=eeg,
        leads=(
            (
                "[Electroencephalogram|EEG|EEG recording] ({channels:channel}, {colour} [traces|lines]) "
                "[showing|with] {activity}"
            ),
            "{activity} in {channels:channel} of [the EEG|an EEG], {colour} [traces|lines]",
            "{channels}-channel EEG: {activity} ({colour})",
        ),
        clauses=(
            "[Traces are|All channels are drawn in] {colour}",
            "[Electrode names are on the left|Electrodes are labelled left of the traces]",
        ),
        words={
            "activity": {
                "seizure": (
                    "[a seizure starting after quiet background|onset of rhythmic spikes|spike-wave seizure onset]"
                ),
                "alpha rhythm": "[alpha rhythm|continuous 9-10 Hz alpha waves]",
                "slow waves": "[slow delta waves|high slow waves]",
                "background activity": "[low irregular background activity|normal background without rhythm]",
            }
        },
        sizes=((520, 320), (480, 360), (600, 340)),
    ),
    FigureKind(
        name="spectrum",
        modality="trace",
        options={
            "spectrum": ("mass", "infrared", "NMR", "absorbance"),
            "peaks": (2, 3, 4, 5, 6, 7, 8),
            "colour": ("blue", "red", "black", "green", "purple", "orange"),
            "compound": (
                "caffeine",
                "a peptide",
                "the reaction product",
                "haemoglobin",
                "a lipid extract",
                "chlorophyll",
            ),
        },
        principal=("spectrum", "colour"),
        draw=spectrum,
        leads=(
            "{spectrum} of {compound} with {peaks} [main|major] {peaks~peak} ({colour})",
            "{compound}: {spectrum}, {colour} [line|trace], {peaks:peak}",
            "{peaks} {peaks~peak} in the {spectrum} of {compound} ([drawn in|] {colour})",
        ),
        clauses=("[The trace is|It is drawn in] {colour}", "{axis}"),
        derive=lambda a: {"axis": str(a["spectrum"])},
        words={
            "spectrum": {
                "mass": "[mass spectrum|MS spectrum]",
                "infrared": "[infrared spectrum|FTIR spectrum|IR spectrum]",
                "NMR": "[proton NMR spectrum|1H NMR spectrum]",
                "absorbance": "[absorbance spectrum|UV-visible spectrum|absorption spectrum]",
            },
            "axis": {
                "mass": "[Peaks are labelled with m/z|Labels give m/z]",
                "infrared": "[Bands point downwards (transmittance)|Transmittance against wavenumber]",
                "NMR": "Chemical shift is given in ppm",
                "absorbance": "[The range is 200 to 800 nm|Wavelengths from 200 to 800 nm]",
            },
        },
        sizes=((480, 320), (520, 300), (560, 340)),
    ),
)
