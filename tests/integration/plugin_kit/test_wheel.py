"""From nothing to an installed plugin: generated, built into a wheel, installed, checked."""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from portal.plugin_kit.making import make

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment that sees the portal and what it stands on, and no plugin of a partner."""
    place = tmp_path_factory.mktemp("fresh") / "venv"
    venv.create(place, with_pip=True, symlinks=True)
    (packages,) = (place / "lib").glob("python*/site-packages")
    (packages / "portal.pth").write_text(f"{ROOT}\n{sysconfig.get_paths()['purelib']}\n")
    return place / "bin" / "python"


@pytest.mark.parametrize(
    ("kind", "name"),
    [("gateway", "acme_pay"), ("fee-model", "acme_fees"), ("compliance", "acme_rules")],
)
def test_a_partners_wheel_is_found_and_in_order(
    kind: str, name: str, fresh: Path, tmp_path: Path
) -> None:
    make(kind, name, tmp_path)
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q"]
    built = run(*build, "-w", str(tmp_path), str(tmp_path / name), cwd=tmp_path)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    installed = run(fresh, "-m", "pip", "install", "-q", "--no-deps", wheel, cwd=tmp_path)
    assert installed.returncode == 0, installed.stderr
    checked = run(fresh, "-m", "portal.cli", "plugins", "check", name, cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{name}: {name.replace('_', '-')} 0.1.0" in checked.stdout
    assert "sha256:" in checked.stdout
    assert "In order." in checked.stdout


def test_a_broken_one_is_told_so(fresh: Path, tmp_path: Path) -> None:
    make("fee-model", "acme_bad", tmp_path)
    model = tmp_path / "acme_bad" / "acme_bad" / "model.py"
    said = model.read_text()
    model.write_text(
        said.replace("Fees(Money(quantity.asset, 0)", "Fees(Money(quantity.asset, -1)")
    )
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q"]
    built = run(*build, "-w", str(tmp_path), str(tmp_path / "acme_bad"), cwd=tmp_path)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    run(fresh, "-m", "pip", "install", "-q", "--no-deps", wheel, cwd=tmp_path)
    checked = run(fresh, "-m", "portal.cli", "plugins", "check", "acme_bad", cwd=tmp_path)
    assert checked.returncode == 1
    assert "PROBLEM" in checked.stdout
    assert "f03" in checked.stdout


def listed(python: Path, allowed: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """`portal plugins list` without any database: what is loaded does not need one."""
    environment = {"PLUGINS_ALLOWED": allowed, "DATABASE_URL": "postgresql://127.0.0.1:1/none"}
    return subprocess.run(
        [python, "-m", "portal.cli", "plugins", "list"],
        cwd=cwd,
        env=environment | more,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_pinned_plugin_loads_until_its_files_are_touched(fresh: Path, tmp_path: Path) -> None:
    make("fee-model", "acme_pinned", tmp_path)
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q"]
    run(*build, "-w", str(tmp_path), str(tmp_path / "acme_pinned"), cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    run(fresh, "-m", "pip", "install", "-q", "--no-deps", wheel, cwd=tmp_path)
    report = run(fresh, "-m", "portal.cli", "plugins", "check", "acme_pinned", cwd=tmp_path).stdout
    (pinned,) = [word for word in report.split() if word.startswith("acme_pinned@sha256:")]

    well = listed(fresh, f"maker_taker,{pinned}", tmp_path)
    assert (well.returncode, "acme_pinned (acme-pinned 0.1.0) loaded" in well.stdout) == (0, True)

    another = listed(fresh, f"acme_pinned@sha256:{'0' * 64}", tmp_path)
    assert another.returncode == 1
    assert "its files are not those that PLUGINS_ALLOWED names" in another.stdout

    safe = listed(fresh, f"maker_taker,{pinned}", tmp_path, PLUGINS_SAFE_MODE="1")
    assert "maker_taker (otc-portal" in safe.stdout
    assert "refused: safe mode" in safe.stdout

    (packages,) = (fresh.parents[1] / "lib").glob("python*/site-packages")
    with (packages / "acme_pinned" / "model.py").open("a") as file:
        file.write("# somebody was here\n")
    touched = listed(fresh, pinned, tmp_path)
    assert touched.returncode == 1
    assert "acme_pinned/model.py was changed since it was installed" in touched.stdout
