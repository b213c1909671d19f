"""Spark's own files of a local checkpoint: made without a process for each, and otherwise as Hadoop makes them."""

import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MANAGERS = {
    "ours": lambda jvm: jvm.drinkstream.CheckpointFiles,
    "Spark's": lambda jvm: (
        jvm.org.apache.spark.sql.execution.streaming.checkpointing.FileSystemBasedCheckpointFileManager
    ),
}


def written(spark: "SparkSession", manager: Callable[[Any], Any], folder: Path, umask: str = "022") -> Path:
    """A file that was written in one piece below a folder that was not there before."""
    jvm: Any = spark._jvm
    conf = jvm.org.apache.hadoop.conf.Configuration(spark._jsc.hadoopConfiguration())
    conf.set("fs.permissions.umask-mode", umask)
    # one that is kept was made for another umask
    conf.set("fs.file.impl.disable.cache", "true")
    below = jvm.org.apache.hadoop.fs.Path(str(folder / "offsets"))
    files = manager(jvm)(below, conf)
    files.mkdirs(below)
    stream = files.createAtomic(jvm.org.apache.hadoop.fs.Path(below, "7"), False)
    stream.write(b"what Spark knows")
    stream.close()
    return folder / "offsets" / "7"


@pytest.mark.parametrize("umask", ["022", "077", "002"])
def test_a_file_is_the_one_that_spark_would_have_made(spark: "SparkSession", tmp_path: Path, umask: str):
    ours, sparks = (written(spark, manager, tmp_path / name, umask) for name, manager in MANAGERS.items())
    assert ours.read_bytes() == sparks.read_bytes() == b"what Spark knows"

    def made(file: Path) -> dict[str, tuple[str, bytes]]:
        """Mode and content of each file beside it, checksums among them."""
        return {path.name: (stat.filemode(path.stat().st_mode), path.read_bytes()) for path in file.parent.iterdir()}

    assert made(ours) == made(sparks)
    assert made(ours).keys() == {"7", ".7.crc"}


def test_what_was_changed_on_disk_is_noticed(spark: "SparkSession", tmp_path: Path):
    file = written(spark, MANAGERS["ours"], tmp_path)
    file.write_bytes(b"What Spark knows")
    jvm: Any = spark._jvm
    path = jvm.org.apache.hadoop.fs.Path(str(file))
    stream = jvm.drinkstream.CheckpointFiles(path.getParent(), spark._jsc.hadoopConfiguration()).open(path)
    with pytest.raises(Exception, match="ChecksumException"):
        jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8")


def test_no_process_is_started_for_a_file(spark: "SparkSession", tmp_path: Path):
    """Those that were started and have ended have left their processor time with the JVM, which else starts none."""
    jvm: Any = spark._jvm
    java = psutil.Process(jvm.java.lang.ProcessHandle.current().pid())

    def ended() -> float:
        times = java.cpu_times()
        return float(times.children_user + times.children_system)

    def of(manager: Callable[[Any], Any], folder: Path) -> float:
        before = ended()
        for number in range(20):
            written(spark, manager, folder / str(number))
        return ended() - before

    assert of(MANAGERS["Spark's"], tmp_path / "sparks") > 0
    assert of(MANAGERS["ours"], tmp_path / "ours") == 0
