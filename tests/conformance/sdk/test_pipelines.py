"""Pipelines: listing, updates, events, stop; SQL warehouses."""

import pytest
from databricks.sdk.errors import BadRequest, DatabricksError, NotFound, PermissionDenied, ResourceConflict
from databricks.sdk.service.pipelines import EventLevel, PipelineState, UpdateInfoState, UpdateStateInfoState
from databricks.sdk.service.sql import EndpointTagPair, EndpointTags, State


@pytest.fixture(scope="module")
def pipelines(prod):
    return list(prod.pipelines.list_pipelines(max_results=5))


def settled(sim, client, pipeline_id, update_id):
    """The update once it is over: moves world time instead of waiting."""
    for _ in range(120):
        update = client.pipelines.get_update(pipeline_id, update_id).update
        if update.state in (UpdateInfoState.COMPLETED, UpdateInfoState.FAILED, UpdateInfoState.CANCELED):
            return update
        sim.advance(60)
    raise AssertionError(f"{pipeline_id} never settled: {update.state}")


def triggered(client, pipelines):
    return next(p for p in pipelines if p.state is PipelineState.IDLE and not client.pipelines.get(p.pipeline_id).spec.continuous)


def test_listing_pages_and_orders_by_id(prod, pipelines):
    assert len(pipelines) >= 10
    ids = [p.pipeline_id for p in pipelines]
    assert ids == sorted(ids) and len(set(ids)) == len(ids)
    for pipeline in pipelines:
        assert pipeline.name and pipeline.state
        for update in pipeline.latest_updates or []:
            assert update.state in UpdateStateInfoState and update.creation_time.endswith("Z")


def test_filter_by_name(prod, pipelines):
    name = pipelines[0].name
    assert name in {p.name for p in prod.pipelines.list_pipelines(filter=f"name LIKE '%{name[2:]}%'")}
    assert list(prod.pipelines.list_pipelines(filter="name LIKE '%no such pipeline%'")) == []


def test_get_is_typed(prod, pipelines):
    pipeline = prod.pipelines.get(pipelines[0].pipeline_id)
    assert pipeline.name == pipelines[0].name
    assert pipeline.spec.catalog and (pipeline.spec.schema or pipeline.spec.target)
    assert pipeline.last_modified > 0 and pipeline.run_as_user_name
    assert pipeline.health


def test_an_update_runs_to_its_end_and_tells_its_story(sim, staging):
    pipeline = triggered(staging, list(staging.pipelines.list_pipelines()))
    started = staging.pipelines.start_update(pipeline.pipeline_id)
    update = settled(sim, staging, pipeline.pipeline_id, started.update_id)
    assert update.state is UpdateInfoState.COMPLETED
    assert update.cause.value == "API_CALL" and isinstance(update.creation_time, int)
    listed = staging.pipelines.list_updates(pipeline.pipeline_id, max_results=5).updates
    assert listed[0].update_id == started.update_id
    events = list(
        staging.pipelines.list_pipeline_events(
            pipeline.pipeline_id, filter=f"update_id = '{started.update_id}'", order_by=["timestamp asc"], max_results=50
        )
    )
    stamps = [event.timestamp for event in events]
    assert stamps == sorted(stamps)
    kinds = [event.event_type for event in events]
    assert "create_update" in kinds and "flow_progress" in kinds
    assert events[-1].message.endswith("is COMPLETED.")
    assert {event.origin.update_id for event in events} == {started.update_id}


def test_events_filter_by_level_and_come_newest_first(prod, pipelines):
    events = []
    for event in prod.pipelines.list_pipeline_events(pipelines[0].pipeline_id, filter="level='INFO'", max_results=10):
        events.append(event)
        if len(events) == 30:
            break
    assert events and {event.level for event in events} == {EventLevel.INFO}
    stamps = [event.timestamp for event in events]
    assert stamps == sorted(stamps, reverse=True)


def test_a_second_start_while_active_is_refused(sim, staging):
    pipeline = triggered(staging, list(staging.pipelines.list_pipelines()))
    started = staging.pipelines.start_update(pipeline.pipeline_id)
    with pytest.raises((ResourceConflict, BadRequest)):
        staging.pipelines.start_update(pipeline.pipeline_id)
    stopping = staging.pipelines.stop(pipeline.pipeline_id)
    assert settled(sim, staging, pipeline.pipeline_id, started.update_id).state is UpdateInfoState.CANCELED
    assert stopping.result().state is PipelineState.IDLE


def test_what_is_missing_reads_as_missing(prod, pipelines):
    with pytest.raises(NotFound, match="was not found"):
        prod.pipelines.get("00000000-0000-0000-0000-000000000000")
    with pytest.raises(NotFound, match="was not found"):
        prod.pipelines.get_update(pipelines[0].pipeline_id, "00000000-0000-0000-0000-000000000000")


def test_an_event_page_token_excludes_other_fields(prod, pipelines):
    path = f"/api/2.0/pipelines/{pipelines[0].pipeline_id}/events"
    first = prod.api_client.do("GET", path, query={"max_results": 1})
    with pytest.raises(DatabricksError):
        prod.api_client.do("GET", path, query={"page_token": first["next_page_token"], "filter": "level='INFO'"})


def test_warehouses(prod):
    warehouses = list(prod.warehouses.list())
    assert warehouses
    warehouse = prod.warehouses.get(warehouses[0].id)
    assert warehouse.name == warehouses[0].name
    assert warehouse.state in (State.RUNNING, State.STOPPED, State.STARTING, State.STOPPING)
    with pytest.raises(NotFound):
        prod.warehouses.get("0000000000000000")


def test_a_warehouse_is_made_changed_and_gone(sim):
    w = sim.client("staging", "author")
    made = w.warehouses.create(name="wire", cluster_size="2X-Small", auto_stop_mins=5, max_num_clusters=1, tags=EndpointTags([EndpointTagPair("a", "b")]))
    warehouse = w.warehouses.get(made.response.id)
    assert (warehouse.name, warehouse.cluster_size, warehouse.auto_stop_mins) == ("wire", "2X-Small", 5)
    assert warehouse.tags.custom_tags[0].value == "b" and warehouse.creator_name
    with pytest.raises(BadRequest, match="already exists"):
        w.warehouses.create(name="wire", cluster_size="Small")
    with pytest.raises(BadRequest, match="cluster size"):
        w.warehouses.create(name="other", cluster_size="Enormous")
    w.warehouses.edit(made.response.id, name="wire", cluster_size="Small")
    assert w.warehouses.get(made.response.id).cluster_size == "Small"
    with pytest.raises(PermissionDenied):
        sim.client("staging", "reader").warehouses.create(name="mine", cluster_size="Small")
    w.warehouses.delete(made.response.id)
    with pytest.raises(NotFound):
        w.warehouses.get(made.response.id)
