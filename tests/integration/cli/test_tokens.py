"""What model calls cost, and what happened on a day, on the command line."""

from __future__ import annotations

import json

from .conftest import Place


def test_tokens_are_totalled_listed_and_priced(place: Place) -> None:
    assert "No tokens were reported since" in place.run("tokens", "summary").out
    assert place.run("tokens", "list").out == "No tokens were reported.\n"
    place.agent.report_token_usage(1_000_000, 1000, model="gpt-4o")
    place.agent.report_token_usage(5, 5, model="gpt-4o-mini", agent_id="other")
    by_agent = place.run("tokens", "summary", "--by", "agent").out.splitlines()
    assert by_agent[0].split() == ["AGENT", "REPORTS", "TOKENS", "IN", "TOKENS", "OUT", "USD"]
    assert by_agent[1].split() == [str(place.agent.agent_id), "1", "1,000,000", "1,000", "2.5100"]
    assert by_agent[-1].split()[:3] == ["total", "2", "1,000,005"]
    assert json.loads(place.run("tokens", "summary", "--json").out)["total"]["reports"] == 2
    listed = place.run("tokens", "list", "--model", "gpt-4o-mini").out.splitlines()
    assert [line.split()[1:3] for line in listed[1:]] == [["other", "gpt-4o-mini"]]
    prices = place.run("tokens", "prices", "--model", "gpt-4o-mini").out.splitlines()
    assert [line.split()[0] for line in prices[:3]] == ["MODEL", "gpt-4o-mini", "any"]
    assert prices[-1] == "USD per million tokens"


def test_the_digest_of_a_day_is_shown(place: Place) -> None:
    assert "0 activities" in place.run("digest", "2020-01-01").out
    assert "Nothing happened." in place.run("digest", "2020-01-01").out
    place.agent.record_decision("Retry")
    place.agent.create_action("research", "Compare\nthree vendors")
    place.agent.report_token_usage(5, 5, model="gpt-4o")
    shown = place.run("digest").out
    assert "2 activities" in shown
    assert "10 tokens in 1 reports" in shown
    assert "Compare three vendors" in shown
    assert json.loads(place.run("digest", "--agent", "nobody", "--json").out)["actions_count"] == 0
    wrong = place.run("digest", "yesterday")
    assert wrong.code == 1
    assert "must be a day such as 2026-01-31" in wrong.err
