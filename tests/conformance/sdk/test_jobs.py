"""Jobs and runs: paging, filters, the life of a run, repair."""

import time

import pytest
from databricks.sdk.errors import BadRequest, InvalidParameterValue, NotFound, PermissionDenied, ResourceDoesNotExist
from databricks.sdk.service.jobs import (
    BaseJob,
    RunLifeCycleState,
    RunLifecycleStateV2State,
    RunResultState,
    RunType,
    SparkPythonTask,
    SubmitTask,
    TerminationCodeCode,
    TriggerType,
)


@pytest.fixture(scope="module")
def jobs(prod) -> list[BaseJob]:
    return list(prod.jobs.list())


def manual_candidate(client, jobs):
    """A scheduled job that is not running now."""
    active = {run.job_id for run in client.jobs.list_runs(active_only=True)}
    return next(job for job in jobs if job.job_id not in active and job.settings.schedule)


def test_listing_pages_to_the_end(prod, jobs):
    assert len(jobs) >= 90
    assert len({job.job_id for job in jobs}) == len(jobs)
    assert [j.job_id for j in prod.jobs.list(limit=7)] == [j.job_id for j in jobs]
    for job in jobs:
        assert job.settings.name and job.creator_user_name and job.created_time > 0
        assert job.settings.max_concurrent_runs >= 1


def test_listing_by_name_is_exact_and_ignores_case(prod, jobs):
    name = jobs[3].settings.name
    assert {j.settings.name for j in prod.jobs.list(name=name.upper())} == {name}
    assert list(prod.jobs.list(name=name[:-1])) == []


def test_listing_can_expand_tasks(prod):
    job = next(iter(prod.jobs.list(expand_tasks=True, limit=1)))
    assert job.settings.tasks and job.settings.tasks[0].task_key


def test_get_matches_the_listing(prod, jobs):
    job = prod.jobs.get(jobs[0].job_id)
    assert job.settings.name == jobs[0].settings.name
    assert job.settings.tasks and job.run_as_user_name
    assert job.settings.format.value == "MULTI_TASK"
    keys = {task.task_key for task in job.settings.tasks}
    assert all(up.task_key in keys for task in job.settings.tasks for up in task.depends_on or [])


def test_a_job_of_more_than_a_hundred_tasks_is_paged_inside(dev):
    job = next(j for j in dev.jobs.list() if "wide" in j.settings.name)
    whole = dev.jobs.get(job.job_id)
    assert len(whole.settings.tasks) > 100
    assert len({task.task_key for task in whole.settings.tasks}) == len(whole.settings.tasks)


def test_schedules_are_typed(jobs):
    scheduled = [job.settings.schedule for job in jobs if job.settings.schedule]
    assert scheduled
    for schedule in scheduled:
        assert len(schedule.quartz_cron_expression.split()) in (6, 7)
        assert schedule.timezone_id and schedule.pause_status


def test_runs_come_newest_first_over_many_pages(prod):
    runs = []
    for run in prod.jobs.list_runs(limit=24):
        runs.append(run)
        if len(runs) == 200:
            break
    assert len(runs) == 200
    starts = [run.start_time for run in runs]
    assert starts == sorted(starts, reverse=True)
    assert len({run.run_id for run in runs}) == 200


def test_active_and_completed_filters(prod):
    active = list(prod.jobs.list_runs(active_only=True))
    assert active, "continuous and long jobs are always active"
    for run in active:
        assert run.status.state is not RunLifecycleStateV2State.TERMINATED
    completed = next(iter(prod.jobs.list_runs(completed_only=True)))
    assert completed.status.state is RunLifecycleStateV2State.TERMINATED
    assert completed.end_time >= completed.start_time
    with pytest.raises(InvalidParameterValue):
        list(prod.jobs.list_runs(active_only=True, completed_only=True))


def test_filters_by_job_and_time(prod, jobs):
    reference = next(iter(prod.jobs.list_runs(completed_only=True)))
    of_job = []
    for run in prod.jobs.list_runs(job_id=reference.job_id, limit=5):
        of_job.append(run)
        if len(of_job) == 12:
            break
    assert {run.job_id for run in of_job} == {reference.job_id}
    since, until = reference.start_time - 3_600_000, reference.start_time
    window = list(prod.jobs.list_runs(start_time_from=since, start_time_to=until))
    assert reference.run_id in {run.run_id for run in window}
    assert all(since <= run.start_time <= until for run in window)


def test_filter_by_run_type(prod):
    run = next(iter(prod.jobs.list_runs(run_type=RunType.JOB_RUN)))
    assert run.run_type is RunType.JOB_RUN
    assert list(prod.jobs.list_runs(run_type=RunType.SUBMIT_RUN)) == []


def test_a_listing_limit_past_the_maximum_is_refused(prod):
    with pytest.raises(InvalidParameterValue):
        prod.api_client.do("GET", "/api/2.2/jobs/runs/list", query={"limit": 1000})


def test_run_now_waits_to_success_and_leaves_output(prod, jobs):
    job = manual_candidate(prod, jobs)
    run = prod.jobs.run_now_and_wait(job.job_id)
    assert run.state.life_cycle_state is RunLifeCycleState.TERMINATED
    assert run.state.result_state is RunResultState.SUCCESS
    assert run.status.termination_details.code is TerminationCodeCode.SUCCESS
    assert run.trigger is TriggerType.ONE_TIME
    assert run.run_page_url.endswith(f"#job/{job.job_id}/run/{run.run_id}")
    assert run.end_time > run.start_time and run.run_duration > 0
    for task in run.tasks:
        assert task.state.result_state in (RunResultState.SUCCESS, RunResultState.EXCLUDED)
        assert task.start_time >= run.start_time
    output = prod.jobs.get_run_output(run.tasks[0].run_id)
    assert output.metadata.run_id == run.tasks[0].run_id and not output.error


def test_a_repeated_token_gives_the_same_run(prod, jobs):
    job = manual_candidate(prod, jobs)
    token = f"suite-{time.time_ns()}"
    first = prod.jobs.run_now(job.job_id, idempotency_token=token).response.run_id
    again = prod.jobs.run_now(job.job_id, idempotency_token=token).response.run_id
    assert first == again
    prod.jobs.cancel_run(first).result()


def test_cancel_ends_as_canceled(prod, jobs):
    job = manual_candidate(prod, jobs)
    started = prod.jobs.run_now(job.job_id).response.run_id
    run = prod.jobs.cancel_run_and_wait(started)
    assert run.state.result_state is RunResultState.CANCELED
    assert run.state.user_cancelled_or_timedout is True
    assert run.status.termination_details.code is TerminationCodeCode.USER_CANCELED


def test_repair_twice_needs_the_latest_repair(prod, jobs):
    job = manual_candidate(prod, jobs)
    started = prod.jobs.run_now(job.job_id).response.run_id
    prod.jobs.cancel_run_and_wait(started)
    first = prod.jobs.repair_run(started, rerun_all_failed_tasks=True)
    reopened = prod.jobs.get_run(started)
    assert reopened.status.state is not RunLifecycleStateV2State.TERMINATED and not reopened.end_time
    prod.jobs.cancel_run_and_wait(started)
    with pytest.raises(InvalidParameterValue):
        prod.jobs.repair_run(started, rerun_all_failed_tasks=True)
    second = prod.jobs.repair_run_and_wait(
        started, rerun_all_failed_tasks=True, latest_repair_id=first.response.repair_id
    )
    assert second.run_id == started
    assert second.state.result_state is RunResultState.SUCCESS
    history = prod.jobs.get_run(started, include_history=True).repair_history
    assert [item.type.value for item in history] == ["ORIGINAL", "REPAIR", "REPAIR"]
    assert len({item.id for item in history if item.id}) == 2


def test_an_active_run_cannot_be_repaired(prod, jobs):
    job = manual_candidate(prod, jobs)
    started = prod.jobs.run_now(job.job_id).response.run_id
    with pytest.raises(BadRequest):  # which kind of 400 is not documented
        prod.jobs.repair_run(started, rerun_all_failed_tasks=True)
    prod.jobs.cancel_run(started).result()


def test_what_is_missing_reads_as_missing(prod):
    with pytest.raises(ResourceDoesNotExist, match="does not exist"):
        prod.jobs.get(1)
    with pytest.raises(ResourceDoesNotExist, match="does not exist"):
        prod.jobs.get_run(1)
    with pytest.raises((InvalidParameterValue, NotFound)):
        prod.jobs.run_now(1)


def test_output_of_a_multi_task_run_is_refused(prod):
    for run in prod.jobs.list_runs(completed_only=True, expand_tasks=True):
        if len(run.tasks or []) > 1:
            break
    with pytest.raises(InvalidParameterValue, match="multiple tasks"):
        prod.jobs.get_run_output(run.run_id)


def test_a_reader_may_look_and_not_touch(sim, jobs):
    reader = sim.client("prod", "reader")
    assert reader.jobs.get(jobs[0].job_id).job_id == jobs[0].job_id
    with pytest.raises(PermissionDenied):
        reader.jobs.run_now(jobs[0].job_id)


def test_a_submitted_run_belongs_to_no_job(dev, sim):
    task = SubmitTask(task_key="once", spark_python_task=SparkPythonTask(python_file="/Workspace/Shared/once.py"))
    waiter = dev.jobs.submit(run_name="one of a kind", tasks=[task], idempotency_token="submitted-once")
    again = dev.jobs.submit(run_name="one of a kind", tasks=[task], idempotency_token="submitted-once")
    assert again.run_id == waiter.run_id
    sim.advance(30)
    run = dev.jobs.get_run(waiter.run_id)
    assert (run.run_name, run.run_type, run.trigger) == ("one of a kind", RunType.SUBMIT_RUN, TriggerType.ONE_TIME)
    assert [t.task_key for t in run.tasks] == ["once"]
    assert all(job.job_id != run.job_id for job in dev.jobs.list()), "no list has it"
    assert waiter.run_id in {r.run_id for r in dev.jobs.list_runs(run_type=RunType.SUBMIT_RUN)}
    assert waiter.run_id not in {r.run_id for r in dev.jobs.list_runs(run_type=RunType.JOB_RUN, start_time_from=run.start_time)}
    sim.advance(7200)
    assert dev.jobs.get_run(waiter.run_id).state.life_cycle_state is RunLifeCycleState.TERMINATED
