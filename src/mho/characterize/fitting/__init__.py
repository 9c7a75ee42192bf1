"""Fit device laws to pulse measurements."""
