"""Airflow on a home of its own (SQLite, never migrated: parsing needs no tables), for the tests of this folder only."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="package", autouse=True)
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder; Airflow is imported after this only, since it reads its settings and sets up logging at import."""
    home = tmp_path_factory.mktemp("airflow")
    handlers, level = logging.root.handlers[:], logging.root.level
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_HOME", str(home))
        patch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(ROOT / "dags"))
        patch.setenv("AIRFLOW__CORE__PLUGINS_FOLDER", str(ROOT / "dags" / "plugins"))
        patch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
        patch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", f"sqlite:///{home}/airflow.db")
        patch.setenv("DRINKSTREAM_HOME", str(home / "drinkstream"))
        patch.setenv("DRINKSTREAM_JARS", "/opt/drinkstream/jars")
        from airflow.plugins_manager import ensure_plugins_loaded

        ensure_plugins_loaded()  # it also puts their folder on the path
        yield home
    logging.root.handlers[:], logging.root.level = handlers, level


@pytest.fixture(scope="package")
def bag() -> Any:
    """All DAGs, as Airflow's own parser reads the folder."""
    import airflow  # noqa: F401 - before the parser, which imports it half
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(ROOT / "dags")
