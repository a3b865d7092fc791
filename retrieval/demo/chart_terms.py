"""What charts are about: quantities with units, groups of samples, treatments, genes and bacteria."""

from __future__ import annotations

QUANTITIES: dict[str, str] = {
    "IL-6 concentration": "IL-6 (pg/mL)",
    "cell viability": "Cell viability (%)",
    "tumour volume": "Tumour volume (mm3)",
    "body weight": "Body weight (g)",
    "blood glucose": "Blood glucose (mg/dL)",
    "heart rate": "Heart rate (bpm)",
    "relative mRNA expression": "Relative mRNA expression",
    "enzyme activity": "Enzyme activity (U/mL)",
    "viral load": "Viral load (copies/mL)",
    "bone density": "Bone density (mg/cm3)",
    "fluorescence intensity": "Fluorescence (a.u.)",
    "colony count": "Colonies (CFU/mL)",
}
"""Quantity in words → what the axis says."""

GROUPS: dict[str, tuple[str, ...]] = {
    "treatment groups": ("Ctrl", "Veh", "Low", "Mid", "High", "Max", "Combo", "Wash"),
    "genotypes": ("WT", "Het", "KO", "dKO", "Resc", "Tg", "cKO", "OE"),
    "tissues": ("Liver", "Lung", "Heart", "Brain", "Colon", "Skin", "Bone", "Spleen"),
    "time points": ("0 h", "2 h", "4 h", "8 h", "12 h", "24 h", "48 h", "72 h"),
    "cell lines": ("HeLa", "A549", "MCF7", "U2OS", "HEK", "PC3", "Jurkat", "THP1"),
    "age groups": ("<20", "20s", "30s", "40s", "50s", "60s", "70s", "80+"),
}
"""What the categories of an axis are → their names."""
