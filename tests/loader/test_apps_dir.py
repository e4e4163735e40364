"""One file per app."""

from pathlib import Path

import pytest

from gateway.errors import SettingsError
from gateway.loader import load

TOP = "environment: development\napps_dir: ${DIR:-apps}\n"
APP = "platform: wechat\napp_id: {id}\nsecret: {{env: S}}\n"


def write(folder: Path, top: str = TOP, **apps: str) -> Path:
    """Write a settings file and its apps; `__` in a name stands for the dot."""
    (folder / "apps").mkdir()
    for name, text in apps.items():
        (folder / "apps" / name.replace("__", ".")).write_text(text)
    path = folder / "gateway.yaml"
    path.write_text(top)
    return path


def problems(path: Path) -> list[tuple[str, str, int | None]]:
    """Load wrong settings: the end of each problem's file, its path and line."""
    with pytest.raises(SettingsError) as caught:
        load(path, {"S": "secret"})
    return [(Path(one.file or "").name, one.path, one.line) for one in caught.value.problems]


def test_each_file_is_an_app(tmp_path: Path) -> None:
    """Its name is the app's; other files are left alone, and apps of the main file stay."""
    top = TOP + "apps:\n  main: {platform: douyin, app_id: tt1, secret: s}\n"
    path = write(
        tmp_path,
        top,
        shop__yaml=APP.format(id="wx1"),
        game__yml=APP.format(id="wx2"),
        README__md="# no app",
        __hidden__yaml="[",
    )
    apps = load(path, {"S": "secret"}).settings.apps
    assert {name: app.app_identifier for name, app in apps.items()} == {
        "main": "tt1",
        "shop": "wx1",
        "game": "wx2",
    }
    assert apps["shop"].secret.get_secret_value() == "secret"


def test_an_app_stands_in_one_place(tmp_path: Path) -> None:
    """Twice is a mistake, wherever."""
    top = TOP + "apps:\n  shop: {platform: douyin, app_id: tt1, secret: s}\n"
    path = write(
        tmp_path,
        top,
        shop__yaml=APP.format(id="wx1"),
        game__yaml=APP.format(id="wx2"),
        game__yml=APP.format(id="wx3"),
    )
    assert problems(path) == [("game.yml", "apps.game", 1), ("shop.yaml", "apps.shop", 1)]


def test_problems_name_the_app_s_file(tmp_path: Path) -> None:
    """And the line there."""
    path = write(
        tmp_path,
        broken__yaml="a: [1\n",
        empty__yaml="",
        binary__yaml="\x00",
        wrong__yaml=APP.format(id="wx1") + "kind: game\nsecert: x\n",
        Upper__yaml=APP.format(id="wx2"),
    )
    assert problems(path) == [
        ("Upper.yaml", "apps.Upper", 1),
        ("binary.yaml", "apps.binary", None),
        ("broken.yaml", "apps.broken", 2),
        ("empty.yaml", "apps.empty", 1),
        ("wrong.yaml", "apps.wrong.kind", 4),
        ("wrong.yaml", "apps.wrong.secert", 5),
    ]


def test_a_file_too_large_is_refused(tmp_path: Path) -> None:
    """An app has a dozen lines."""
    path = write(tmp_path, big__yaml="#" * 70000)
    assert problems(path) == [("big.yaml", "apps.big", None)]


def test_a_missing_folder_is_found(tmp_path: Path) -> None:
    """With the line that names it."""
    path = tmp_path / "gateway.yaml"
    path.write_text(TOP)
    assert problems(path) == [("gateway.yaml", "apps_dir", 2)]


def test_apps_of_a_wrong_shape_are_left_to_the_models(tmp_path: Path) -> None:
    """One problem, not one per app."""
    path = write(tmp_path, TOP + "apps: [a]\n", shop__yaml=APP.format(id="wx1"))
    assert problems(path) == [("gateway.yaml", "apps", 3)]
