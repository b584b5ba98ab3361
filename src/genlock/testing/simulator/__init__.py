"""Simulated vendors: a real HTTP server that speaks their formats, keeps what it charged, renders small
real media, and misbehaves on demand. See docs/testing.md.
"""

from genlock.testing.simulator.book import Charge, Receipt, Report
from genlock.testing.simulator.fault import FOREVER, Do, Fault
from genlock.testing.simulator.price import Rate
from genlock.testing.simulator.simulator import Simulator, SimulatorProcess

__all__ = ["FOREVER", "Charge", "Do", "Fault", "Rate", "Receipt", "Report", "Simulator", "SimulatorProcess"]
