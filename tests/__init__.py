"""Tests, file by file as the folders they test."""
