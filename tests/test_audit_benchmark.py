import pytest

from benchmarks.audit import PINS, audited, main, pinned

TEXT = "Some_Package==1.2.0\nother==3.0rc1 ; python_full_version < '3.12'\nthird==2.0\n"
KNOWN = {"$meta": {"timestamp": 1775023247}}


@pytest.mark.parametrize(
    ("listed", "weak"),
    [
        ({"some-package": ["<1.0", ">=1.1,<1.2.1"]}, "Some_Package 1.2.0 (>=1.1,<1.2.1)"),
        ({"some-package": ["<1.2.0", ">1.2"]}, "none"),
        ({"other": ["<3.1"]}, "other 3.0rc1 (<3.1)"),
        ({"third": ["==2.0"], "some.package": ["<=1.2"]}, "Some_Package 1.2.0 (<=1.2); third 2.0 (==2.0)"),
        ({"unknown": ["<9"]}, "none"),
    ],
)
def test_a_pin_that_lies_in_a_range_is_named_with_it(listed, weak):
    found = audited(KNOWN | listed, pinned(TEXT))
    assert found["pins in one"] == weak and found["as it stood on"] == "2026-04-01" and found["pins"] == 3
    assert found["ranges they were held against"] == sum(
        len(ranges) for name, ranges in listed.items() if name != "unknown"
    )
    assert found["pins of packages that it names"] == len(listed.keys() - {"unknown"})


@pytest.mark.parametrize("other", [{"vulns": []}, [], KNOWN, KNOWN | {"a": [{"cve": "CVE-1", "specs": ["<1"]}]}])
def test_another_file_than_the_list_is_refused(other):
    with pytest.raises(ValueError, match=r"insecure\.json of Safety DB"):
        audited(other, [])


def test_every_pin_of_the_project_is_one_version():
    pins = pinned(PINS.read_text(encoding="utf-8"))
    assert len(pins) > 100
    assert all([one.operator for one in pin.specifier] == ["=="] for pin in pins)


@pytest.mark.parametrize("text", ["{", "[]", None])
def test_a_file_that_is_no_list_ends_in_one_line_that_names_it(text, tmp_path, capsys, monkeypatch):
    path = tmp_path / "some.json"
    if text is not None:
        path.write_text(text)
    monkeypatch.setattr("sys.argv", ["audit", str(path)])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert f"audit: error: {path}: " in capsys.readouterr().err.splitlines()[-1]
