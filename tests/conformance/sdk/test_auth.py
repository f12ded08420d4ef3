"""PAT, OAuth machine-to-machine, and what a wrong secret looks like."""

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import PermissionDenied, Unauthenticated


def test_me_by_token(prod, sim):
    me = prod.current_user.me()
    assert me.active is True
    assert "@" in me.user_name
    assert me.id and me.id.isdigit()
    assert me.emails[0].value == me.user_name
    assert {group.display for group in me.groups}, "groups are named"
    assert str(prod.get_workspace_id()) == str(sim.workspace("prod")["workspace_id"])


def test_roles_are_different_people(sim):
    names = {role: sim.client("prod", role).current_user.me().user_name for role in sim.workspace("prod")["tokens"]}
    assert {"operator", "operator2", "captain", "approver", "finance", "author", "reader"} <= set(names)
    assert len(set(names.values())) == len(names)


def test_me_by_oauth(sim):
    client = sim.client_of_ci()
    assert client.config.auth_type == "oauth-m2m"
    assert client.current_user.me().user_name == sim.workspace("prod")["client_id"]


def test_a_wrong_oauth_secret_is_refused(sim):
    workspace = sim.workspace("prod")
    client = WorkspaceClient(host=workspace["host"], client_id=workspace["client_id"], client_secret="wrong")
    with pytest.raises(ValueError, match="invalid_client"):
        client.current_user.me()


def test_a_wrong_token_is_unauthenticated(sim):
    client = WorkspaceClient(host=sim.workspace("prod")["host"], token="dapi0000")
    with pytest.raises((Unauthenticated, PermissionDenied)):
        client.current_user.me()


def test_a_token_of_another_workspace_is_refused(sim):
    client = WorkspaceClient(host=sim.workspace("prod")["host"], token=sim.workspace("dev")["tokens"]["operator"])
    with pytest.raises((Unauthenticated, PermissionDenied)):
        client.current_user.me()
