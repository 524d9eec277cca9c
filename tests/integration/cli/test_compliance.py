"""`dashclaw compliance`: map, gaps and report, embedded and against a server."""

from __future__ import annotations

from .conftest import Place


def test_controls_gaps_and_a_report_are_shown(place: Place) -> None:
    place.run("policies", "import", "enterprise-strict")
    mapped = place.run("compliance", "map", "soc2")
    assert mapped.code == 0
    assert mapped.out.startswith("SOC 2: coverage ")
    assert "CC6.1" in mapped.out
    gaps = place.run("compliance", "gaps", "soc2", "--json").document
    assert gaps["remediation_plan"][0]["priority"] == 1
    assert f"coverage {gaps['coverage_pct']} %" in place.run("compliance", "gaps", "soc2").out
    report = place.run("compliance", "report", "gdpr")
    assert report.out.startswith("# GDPR compliance report\n")
    assert "## Trend" in report.out


def test_an_unknown_framework_is_one_line_that_names_the_known_ones(embedded: Place) -> None:
    shown = embedded.run("compliance", "map", "iso9001")
    assert (shown.code, shown.out) == (1, "")
    [line] = shown.err.splitlines()
    assert line.startswith("error: There is no framework 'iso9001'; there are soc2, iso27001")
