"""How every process of ours connects to Temporal: its own environment configuration, our data converter."""

from __future__ import annotations

import dataclasses

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfig
from temporalio.runtime import Runtime

import settings
from workflows.failures import FailuresWithoutValues

DATA_CONVERTER = dataclasses.replace(pydantic_data_converter, failure_converter_class=FailuresWithoutValues)


async def connect(config: settings.Settings, *, lazy: bool = False, runtime: Runtime | None = None) -> Client:
    """A client for TEMPORAL_* as Temporal defines them, with our defaults below them.

    Args:
        config: our settings, for the address and namespace that `make up` chose.
        lazy: connect at the first call instead of now, so that a process starts while Temporal is away.
        runtime: for metrics, where a process exposes them.
    """
    options = ClientConfig.load_client_connect_config()
    options.setdefault("target_host", config.temporal_address)
    options.setdefault("namespace", config.temporal_namespace)
    return await Client.connect(**options, data_converter=DATA_CONVERTER, lazy=lazy, runtime=runtime)
