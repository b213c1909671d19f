"""The speed layer's part of a schedule: what happens to it, done by the product's code and noted in the truth."""

from dataclasses import dataclass, field
from datetime import timedelta

from drinkstream.errors import IntegrityError
from tests.lib.merge_speed_layer import Batch, Checkpoint, SpeedLayer
from tests.lib.merge_truth import Life, Offsets, Truth, out_of_reach
from tests.lib.merge_world import PARTITIONS, Kafka, Stored, World
from tests.lib.oracle import Record


def record(row: Stored) -> Record:
    """A record as the oracle reads it."""
    return Record(row.value, "x", row.append_ms, row.partition, row.offset)


@dataclass
class Begun:
    """A micro-batch that was cut off, whose process is taken for dead."""

    life: Life
    number: int
    records: list[Record]
    until: Offsets
    batch: Batch


@dataclass
class SpeedSide:
    """What can happen to the speed layer. `acknowledged` is everything that any Kafka cluster ever took."""

    world: World
    truth: Truth
    acknowledged: list[Stored] = field(default_factory=list)
    checkpoints: dict[str, Checkpoint] = field(default_factory=dict)
    lives: dict[str, Life] = field(default_factory=dict)
    orphans: list[Begun] = field(default_factory=list)
    running: SpeedLayer | None = None
    newest: str = ""
    renew: bool = False

    def send(self, line: bytes) -> None:
        """A line comes in."""
        self.pass_time(timedelta(seconds=1))
        self.acknowledged += self.world.kafka.send(line, self.world.now)

    def start(self, dies: bool = False) -> None:
        """The supervisor starts the query; where it `dies`, that is before the query itself starts."""
        self.pass_time(timedelta(seconds=1))
        self.running = None
        began = set(self.lives)
        lost = began and any(self.lives[self.newest].reached[p] < n for p, n in self.world.kafka.begin.items())
        running = SpeedLayer(self.world, self.checkpoints)
        epoch = running.life.epoch
        if epoch not in began:
            self._note_life(epoch)
        elif self.lives[epoch] is not self.truth.current:
            # another epoch may have counted more since this one was begun
            self.lives[epoch].goal = self.world.end()
        assert epoch not in began or not (self.renew or lost), "an epoch goes on that must not"
        self.renew, self.newest = False, epoch
        if not dies:
            running.start_query()
            self.running, self._seen, self._looked = running, self.lives[epoch].reached, self.world.now

    def micro_batch(self, most: tuple[int, int], order: int, stop: int | None, fate: str) -> None:
        """One micro-batch, of at most so many records of each partition.

        With `stop` it is cut off before that write, and its process `dies` or is an `orphan`; one that was not cut off
        may die before Spark commits it ("uncommitted"). A look of the watch follows unless the fate is "unwatched".
        """
        self.pass_time(timedelta(seconds=1))
        running = self._up()
        batch = running.plan(dict(zip(PARTITIONS, most, strict=True)), order)
        records, life = [record(row) for row in batch.records], self.lives[running.life.epoch]
        number = life.begins(records, self.world.now, self.truth.label)
        begun = Begun(life, number, records, batch.until, batch)
        if not batch.work.advance(stop):
            self.running = None
            if fate == "orphan":
                self.orphans.append(begun)
            else:
                batch.work.kill()
            return
        self._ended(begun)
        if fate == "uncommitted":
            self.running = None
            return
        running.commit(batch)
        if batch.dropped:
            self.watch(None, dropped=True)
        elif fate != "unwatched":
            self.watch()

    def orphan_writes(self, which: int, writes: int | None) -> None:
        """A process that was taken for dead does some more of its writes."""
        begun = self.orphans[which % len(self.orphans)]
        if begun.batch.work.advance(writes):
            self.orphans.remove(begun)
            if begun.records:
                begun.life.ends(begun.number, begun.records, begun.until)

    def watch(self, stop: int | None = None, dropped: bool = False) -> None:
        """The watch looks; with `stop` the process dies before that write."""
        running, life = self._up(), self.lives[self.newest]
        switches = life is not self.truth.current and all(self._seen[p] >= n for p, n in life.goal.items())
        try:
            ended = running.watch(stop)
        except IntegrityError:
            assert dropped, "rows were said to be dropped"
            self.running, self.renew = None, True
            if self.truth.current is life:
                self.truth.current = None
            return
        assert not dropped, "dropped rows went unnoticed"
        if switches and (ended or stop):
            self.truth.current = life
        self._looked = self.world.now
        if not ended:
            self.running = None

    def lose_checkpoint(self) -> None:
        """The checkpoint of the newest life is gone, and its query with it."""
        running = self._up()
        running.lose_checkpoint()
        self.running = None
        self.renew = bool(self.lives[self.newest].newest)

    def change_meaning(self) -> None:
        """Other code is installed, and the query started with it."""
        self.running, self.renew = None, True
        self.world.meaning = f"m{int(self.world.meaning[1:]) + 1}"

    def trim(self, partition: int, records: int) -> None:
        """Kafka lets go of its oldest records, of which all are archived; a query that still wants them fails."""
        kafka, kept = self.world.kafka, self.checkpoints.get(self.newest)
        archived = [
            row.offset for row in self.world.archived if (row.cluster, row.partition) == (kafka.cluster, partition)
        ]
        begin = min(kafka.begin[partition] + records, max(archived, default=-1) + 1)
        reached = self.lives[self.newest].reached[partition]
        if kept is not None and kept.from_offset(partition) < begin <= reached:
            return  # written but not committed: within a second, while Kafka keeps days
        kafka.begin[partition] = max(begin, kafka.begin[partition])
        if reached < begin:
            self.running = None

    def new_cluster(self) -> None:
        """Kafka is made anew, once all of it was archived."""
        self.world.archive()
        self.world.kafka = Kafka(f"cluster-{int(self.world.kafka.cluster[8:]) + 1}")
        self.running, self.renew = None, True

    def pass_time(self, span: timedelta) -> None:
        """Time passes, while the watch looks twice a day."""
        while span:
            step = min(span, timedelta(hours=12))
            self.world.now += step
            span -= step
            if step > timedelta(hours=1):
                self.watch()

    def _up(self) -> SpeedLayer:
        if self.running is None:
            self.start()
        assert self.running is not None
        return self.running

    def _ended(self, begun: Begun) -> None:
        if begun.records:
            begun.life.ends(begun.number, begun.records, begun.until)
            self._seen = begun.until

    def _note_life(self, epoch: str) -> None:
        kafka = self.world.kafka
        gone, doubtful = out_of_reach(
            (record(row), row.cluster != kafka.cluster or row.offset < kafka.begin[row.partition])
            for row in self.acknowledged
        )
        self.lives[epoch] = Life(kafka.cluster, self.world.end(), dict(kafka.begin), gone, doubtful)

    def close(self) -> None:
        """No orphan goes on."""
        for begun in self.orphans:
            begun.batch.work.kill()
