"""Figures of several panels: their captions and images cut into those of the panels."""
