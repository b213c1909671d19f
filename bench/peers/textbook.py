"""The drain as tutorials on PySpark and Kafka teach it: from_json, rlike, explode, a window, foreachBatch, row by row.

    python -m bench.peers.textbook EPOCH     (settings of the environment)

It knows the few words below instead of the taxonomy, and looks at no context. Spark's settings are left as they come,
200 shuffle partitions among them. The watermark is a day, since a shorter one would drop what this topic holds. Says in
JSON what it has written: posts, moment (s).
"""

import json
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from cassandra.cluster import Session
from cassandra.concurrent import execute_concurrent_with_args
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from drinkstream.cells import hour_of, pack
from drinkstream.settings import Settings
from drinkstream.store.session import connect
from drinkstream.store.write import Writer
from streaming.offsets import look

KAFKA_WAIT_S = 60.0
LOOK_S = 0.2

POST = (
    "data struct<id: string, text: string, created_at: timestamp, lang: string, "
    "referenced_tweets: array<struct<type: string, id: string>>>"
)

WORDS = {
    "coffee": "coffee espresso latte cappuccino café cafe kaffee koffie kopi kahve кофе قهوة コーヒー 커피 咖啡 กาแฟ",
    "tea": "tea chai matcha té thé tee thee tè teh çay чай شاي お茶 紅茶 녹차 홍차 茶 ชา",
    "beer": "beer beers ale lager stout cerveza cerveja bière bier birra bir bira пиво пива ビール 맥주 啤酒 เบียร์",
    "wine": "wine wines merlot vino vinho vin wein wijn anggur şarap вино вина ワイン 와인 红酒 ไวน์",
    "spirits": "whisky whiskey vodka gin rum tequila brandy schnaps водка виски ウイスキー 소주 위스키 白酒 เหล้า",
    "soda": "soda cola lemonade refresco refrigerante limonade газировка コーラ 콜라 사이다 可乐 โค้ก",
    "juice": "juice smoothie jugo zumo suco jus saft succo sap сок عصير ジュース 주스 果汁 น้ำผลไม้",
    "water": "water agua água eau wasser acqua su вода ماء お水 생수 矿泉水 น้ำเปล่า",
    "energy": "redbull energydrink энергетик エナジードリンク 에너지드링크",
    "milk": "milk milkshake leite lait milch latte melk susu süt молоко حليب 牛乳 우유 牛奶 นม",
}
BRANDS = {
    ("coffee", "starbucks"): "starbucks スタバ 스타벅스",
    ("coffee", "nescafé"): "nescafe nescafé",
    ("tea", "lipton"): "lipton",
    ("beer", "guinness"): "guinness",
    ("beer", "heineken"): "heineken",
    ("beer", "corona"): "coronas",
    ("spirits", "bacardi"): "bacardi",
    ("soda", "pepsi"): "pepsi ペプシ 펩시",
    ("soda", "coca-cola"): "cocacola coke",
    ("energy", "red bull"): "redbull",
}


def main(epoch: str) -> None:
    """Drains the topic to the ends that it has at the start."""
    settings = Settings.load()
    topic = settings.posts_topic
    left = sum(look(settings.bootstrap, (topic,), KAFKA_WAIT_S).end.values())
    jars = sorted(str(path) for path in (settings.jar_folder / "spark").glob("*.jar"))
    spark = (
        SparkSession.builder.appName("drinks")
        .master("local[*]")
        .config("spark.jars", ",".join(jars))
        .config("spark.driver.memory", "4g")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.ui.enabled", "false")
        .config("spark.local.dir", str(settings.scratch))
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    session = connect(settings, settings.writer_login())
    records = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", settings.bootstrap)
        .option("subscribe", topic)
        .option("startingOffsets", "earliest")
        .option("maxOffsetsPerTrigger", settings.speed_max_offsets)
        .load()
    )
    query = (
        counted(records)
        .writeStream.outputMode("update")
        .option("checkpointLocation", str(Path(settings.checkpoints) / "textbook"))
        .foreachBatch(lambda frame, _: write(session, epoch, frame))
        .start()
    )
    posts = seen = 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    while True:
        if failure := query.exception():
            raise failure
        for progress in query.recentProgress:
            if progress.batchId >= seen:
                seen = progress.batchId + 1
                posts += progress.numInputRows
                print(json.dumps({"posts": posts, "at": time.time(), "ended": posts >= left}), flush=True)
        time.sleep(LOOK_S)


def counted(records: DataFrame) -> DataFrame:
    """Kafka's records -> (minute, category, brand, kind, lang) and the ids of the posts that count there."""
    posts = records.select(F.from_json(F.col("value").cast("string"), POST).alias("line")).select("line.data.*")
    any_word = pattern(" ".join([*WORDS.values(), *BRANDS.values()]))
    return (
        posts.withColumn("text", F.lower("text"))
        .where(F.col("text").rlike(any_word))
        .withColumn("level", F.explode(levels(F.col("text"))))
        .withColumn("kind", F.when(F.get("referenced_tweets", F.lit(0)).isNull(), "original").otherwise("reply"))
        .withWatermark("created_at", "1 day")
        .groupBy(F.window("created_at", "1 minute"), "level.category", "level.brand", "kind", "lang")
        .agg(F.collect_set("id").alias("ids"))
        .select(F.unix_millis("window.start").alias("minute"), "category", "brand", "kind", "lang", "ids")
    )


def levels(text: Column) -> Column:
    """The levels that a text counts in, each once: an array of (category, brand)."""
    drinks = [F.when(text.rlike(pattern(words)), _array([("*", ""), (drink, "")])) for drink, words in WORDS.items()]
    brands = [
        F.when(text.rlike(pattern(words)), _array([("*", ""), (drink, ""), (drink, brand), ("*", brand), ("*", "*")]))
        for (drink, brand), words in BRANDS.items()
    ]
    return F.array_distinct(F.flatten(F.array_compact(F.array(*drinks, *brands))))


def pattern(words: str) -> str:
    """Words of scripts that part them stand alone, those of others anywhere."""
    anywhere = [word for word in words.split() if word >= "\u0e00"]
    alone = [word for word in words.split() if word < "\u0e00"]
    return "|".join([rf"\b(?:{'|'.join(alone)})\b", *anywhere])


def write(session: Session, epoch: str, frame: DataFrame) -> None:
    """Upserts the cells of a micro-batch, one row after the other."""
    insert = session.prepare(
        "INSERT INTO speed_cells_v1 (epoch, hour, category, minute, brand, source, kind, lang, slot, shard, n, ids) "
        "VALUES (?, ?, ?, ?, ?, 'x', ?, ?, 0, 0, ?, ?)"
    )
    rows = [
        (
            epoch,
            hour_of(row.minute),
            row.category,
            row.minute // 60_000 % 60,
            row.brand,
            row.kind,
            row.lang,
            len(row.ids),
            pack(row.ids),
        )
        for row in frame.collect()
    ]
    Writer(session).speed_hours(epoch, sorted({row[1] for row in rows}), datetime.now(UTC))
    execute_concurrent_with_args(session, insert, rows, concurrency=100)


def _array(pairs: list[tuple[str, str]]) -> Column:
    return F.array(
        *[F.struct(F.lit(category).alias("category"), F.lit(brand).alias("brand")) for category, brand in pairs]
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
