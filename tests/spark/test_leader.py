"""A Spark application that spark-submit started ends with the process that it follows, its JVM and workers too."""

import os
import subprocess
import sys
from pathlib import Path

import psutil

from drinkstream.settings import ROOT
from tests.lib.programs import LIMIT_S, until

APPLICATION = """
import sys, time
from jobs.leader import end_with
from pyspark.sql import SparkSession

end_with(int(sys.argv[1]))
spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
spark.sparkContext.parallelize([sys.argv[2]], 1).foreach(lambda name: [open(name, "w").close(), time.sleep(900)])
"""


def test_a_killed_task_s_spark_ends(tmp_path: Path):
    """It would hold its heap beside that of the next try, for hours: Airflow waits a minute for it at most."""
    application, begun = tmp_path / "application.py", tmp_path / "begun"
    application.write_text(APPLICATION)
    python = {"PYSPARK_PYTHON": sys.executable, "PYTHONPATH": str(ROOT), "SPARK_LOCAL_DIRS": str(tmp_path)}
    task = subprocess.Popen(["sleep", "900"])
    submitted = subprocess.Popen(
        [Path(sys.executable).with_name("spark-submit"), application, str(task.pid), begun],
        env={**os.environ, **python, "SPARK_LOCAL_IP": "127.0.0.1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    below: list[psutil.Process] = []
    try:
        until(begun.exists)
        below = psutil.Process(submitted.pid).children(recursive=True)
        task.kill()
        assert submitted.wait(LIMIT_S) == 3
        # the driver, the daemon of the workers and the worker
        assert (len(below) >= 3, psutil.wait_procs(below, timeout=LIMIT_S)[1]) == (True, [])
    finally:
        for left in (task, submitted, *(one for one in below if one.is_running())):
            left.kill()
        task.wait()
        submitted.wait()
