"""The prefilter's first scan in Spark's JVM: most lines never go to Python, which decides about the others as before.

The Hyperscan database is the one that the prefilter compiled, so this has no words of its own; the class that scans
with it is `jvm/MayName.java`. Where Hyperscan does not run in this JVM all lines go to Python: the counts are the same,
the rate is not.
"""

import hashlib
import os
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from drinkstream.prefilter import database
from drinkstream.prefilter_kept import prune
from drinkstream.settings import Settings
from drinkstream.taxonomy import load

FUNCTION = "may_name"


def sought(records: DataFrame, settings: Settings) -> DataFrame:
    """Those of `records` whose `value` (binary) may name a drink by the first scan; all of them where it cannot run.

    The session must have been opened with the jar of jvm_classes.py.
    """
    spark = records.sparkSession
    file = _kept(database(load(), Path(settings.home) / "prefilter"), settings.scratch)
    spark.sparkContext.addFile(str(file))
    jvm: Any = spark._jvm
    jvm.java.lang.System.setProperty("org.bytedeco.javacpp.cachedir", str(settings.scratch / "javacpp"))
    may_name = jvm.drinkstream.MayName(file.name)
    try:
        may_name.call(b"{}")  # loads Hyperscan and the database
    except Py4JJavaError as error:
        said = str(error.java_exception).splitlines()[0]
        print(f"prefilter: not in the JVM, Hyperscan does not run there: {said}; all lines go to Python", flush=True)
        return records
    session: Any = spark._jsparkSession
    session.udf().register(FUNCTION, may_name, jvm.org.apache.spark.sql.types.DataTypes.BooleanType)
    return records.where(F.call_function(FUNCTION, "value"))


def _kept(serialised: bytes, folder: Path) -> Path:
    """A file of these bytes, named by them; only the newest files stay, whose queries may be about to read them."""
    file = folder / f"prefilter-{hashlib.sha256(serialised).hexdigest()[:16]}.hs"
    try:
        os.utime(file)
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=folder, prefix="prefilter-", suffix=".part", delete=False) as part:
            part.write(serialised)
        Path(part.name).replace(file)
    prune(folder.glob("prefilter-*"))
    return file
