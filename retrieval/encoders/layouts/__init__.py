"""Readers of the layouts in which encoders are published."""
