"""Tests of the Gmail emulator: the real process, over HTTP."""
