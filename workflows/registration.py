"""What a Temporal namespace must know before our workflows run: their search attributes."""

from __future__ import annotations

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from workflows.policies import SEARCH_ATTRIBUTES


class SearchAttributesMissing(Exception):
    """The namespace lacks search attributes and does not let us add them; the text says which."""


async def register_search_attributes(client: Client) -> None:
    """Make our search attributes known; those that are there stay as they are.

    Raises:
        SearchAttributesMissing: they have to be added by hand, as on Temporal Cloud.
    """
    wanted = {attribute.name: attribute.indexed_value_type for attribute in SEARCH_ATTRIBUTES}
    try:
        there = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace)
        )
        wanted = {name: kind for name, kind in wanted.items() if name not in there.custom_attributes}
    except RPCError as error:
        if error.status not in (RPCStatusCode.UNIMPLEMENTED, RPCStatusCode.PERMISSION_DENIED):
            raise
    if not wanted:
        return
    try:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(
                namespace=client.namespace,
                search_attributes={
                    name: IndexedValueType.ValueType(int(kind)) for name, kind in wanted.items()
                },
            )
        )
    except RPCError as error:
        if error.status is RPCStatusCode.ALREADY_EXISTS:
            return
        if error.status in (RPCStatusCode.UNIMPLEMENTED, RPCStatusCode.PERMISSION_DENIED):
            raise SearchAttributesMissing(
                f"add these search attributes to the namespace {client.namespace}: {', '.join(sorted(wanted))}"
            ) from None
        raise
