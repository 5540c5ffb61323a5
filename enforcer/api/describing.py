"""Gives a device the label and class that its user agent tells, where the app gave none."""

import asyncio
from dataclasses import replace

from enforcer import devices
from enforcer.model import Device


class Describer:
    """One per process. The rules are loaded when the first login needs them, once, and beside everybody else's work."""

    def __init__(self) -> None:
        self._loading: asyncio.Task[None] | None = None

    async def described(self, device: Device) -> Device:
        """The device with a label, if its user agent tells one, and a class."""
        if device.user_agent is None or (device.label is not None and device.class_ is not None):
            return device
        if not devices.prepared():
            if self._loading is None:
                self._loading = asyncio.create_task(asyncio.to_thread(devices.prepare))
            await asyncio.shield(self._loading)
        told = devices.described(device.user_agent)
        return replace(device, label=device.label or told.label, class_=device.class_ or told.class_)
