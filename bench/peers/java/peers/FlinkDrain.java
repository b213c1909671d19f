package peers;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.WriterInitContext;
import org.apache.flink.api.common.operators.ProcessingTimeService;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/**
 * The drain as a job of Flink: matched as it is read, keyed by cell, the ids of each in keyed state on the heap, a
 * changed cell written at the next whole interval of those that it is given, a checkpoint every ten seconds.
 */
public final class FlinkDrain {
    private static final long CHECKPOINT_MS = 10_000;
    private static final int CORES = 2;

    private FlinkDrain() {}

    public static void main(String[] args) throws Exception {
        Given given = Given.read();
        Configuration configuration = new Configuration();
        configuration.set(PipelineOptions.OBJECT_REUSE, true);
        configuration.set(PipelineOptions.GENERIC_TYPES, false);
        configuration.set(StateBackendOptions.STATE_BACKEND, "hashmap");
        String checkpoints = given.folder().resolve("checkpoints").toUri().toString();
        configuration.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, checkpoints);
        // a restart would hide a fault from what is measured
        configuration.set(RestartStrategyOptions.RESTART_STRATEGY, "none");
        configuration.set(TaskManagerOptions.NETWORK_MEMORY_MAX, MemorySize.ofMebiBytes(128));
        var environment = StreamExecutionEnvironment.createLocalEnvironment(CORES, configuration);
        environment.enableCheckpointing(CHECKPOINT_MS);
        KafkaSource<Tuple2<String, Long>> source = KafkaSource.<Tuple2<String, Long>>builder()
                .setBootstrapServers(given.bootstrap())
                .setTopics(given.topic())
                .setGroupId("flink")
                .setStartingOffsets(OffsetsInitializer.earliest())
                .setDeserializer(new Matching(given.words().toString()))
                .setProperty("fetch.min.bytes", Integer.toString(given.fetchMinBytes()))
                .setProperty("fetch.max.wait.ms", "100")
                .setProperty("max.partition.fetch.bytes", "4000000")
                .setProperty("max.poll.records", "10000")
                .build();
        environment
                .fromSource(source, WatermarkStrategy.noWatermarks(), "posts")
                .keyBy(pair -> pair.f0)
                .process(new Counting(given.writeMs()))
                .sinkTo(new Cells());
        var job = environment.executeAsync("drinks");
        var result = job.getJobExecutionResult();
        Drained.say(given.records(), () -> {
            if (result.isDone()) {
                throw new IllegalStateException("the job ended before the topic: " + result.get());
            }
        });
        result.get();
    }

    /** Kafka's records -> (cell, id), none for most. */
    private static final class Matching implements KafkaRecordDeserializationSchema<Tuple2<String, Long>> {
        private final String words;
        private transient Posts posts;

        Matching(String words) {
            this.words = words;
        }

        @Override
        public void open(DeserializationSchema.InitializationContext context) throws IOException {
            posts = new Posts(Words.read(Path.of(words)));
        }

        @Override
        public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Tuple2<String, Long>> out)
                throws IOException {
            posts.cells(record.key(), record.value(), (cell, id) -> {
                Drained.FOUND.increment();
                out.collect(Tuple2.of(cell, id));
            });
            Drained.RECORDS.increment();
        }

        @Override
        public TypeInformation<Tuple2<String, Long>> getProducedType() {
            return Types.TUPLE(Types.STRING, Types.LONG);
        }
    }

    /** The ids of a cell, ascending, each once, and whether they are to be written. */
    public static final class Ids {
        public long[] ids = new long[4];
        public int n;
        public boolean changed;

        boolean add(long id) {
            int at = Arrays.binarySearch(ids, 0, n, id);
            if (at >= 0) {
                return false;
            }
            at = -at - 1;
            if (n == ids.length) {
                ids = Arrays.copyOf(ids, 2 * n);
            }
            System.arraycopy(ids, at, ids, at + 1, n - at);
            ids[at] = id;
            n++;
            return true;
        }
    }

    /** A whole cell. */
    public static final class Cell {
        public String named;
        public long[] ids;
        public int n;
    }

    private static final class Counting extends KeyedProcessFunction<String, Tuple2<String, Long>, Cell> {
        private final long writeMs;
        private transient ValueState<Ids> state;

        Counting(long writeMs) {
            this.writeMs = writeMs;
        }

        @Override
        public void open(OpenContext context) {
            state = getRuntimeContext().getState(new ValueStateDescriptor<>("ids", Types.POJO(Ids.class)));
        }

        @Override
        public void processElement(Tuple2<String, Long> pair, Context context, Collector<Cell> out) throws IOException {
            Ids ids = state.value();
            if (ids == null) {
                ids = new Ids();
            }
            if (ids.add(pair.f1)) {
                if (!ids.changed) {
                    ids.changed = true;
                    Drained.CHANGED.increment();
                    long now = context.timerService().currentProcessingTime();
                    context.timerService().registerProcessingTimeTimer(now - now % writeMs + writeMs);
                }
                state.update(ids);
            }
            Drained.TAKEN.increment();
        }

        @Override
        public void onTimer(long at, OnTimerContext context, Collector<Cell> out) throws IOException {
            Ids ids = state.value();
            Cell cell = new Cell();
            cell.named = context.getCurrentKey();
            cell.ids = ids.ids;
            cell.n = ids.n;
            out.collect(cell);
            ids.changed = false;
            state.update(ids);
        }
    }

    /** Upserts, all acknowledged before a checkpoint completes. */
    private static final class Cells implements Sink<Cell> {
        @Override
        public SinkWriter<Cell> createWriter(WriterInitContext context) {
            Given given = Given.read();
            Store store = new Store(given);
            ProcessingTimeService time = context.getProcessingTimeService();
            sendLater(store, time, given.writeMs() / 4);
            return new SinkWriter<>() {
                @Override
                public void write(Cell cell, Context context) {
                    store.put(cell.named, cell.ids, cell.n);
                }

                @Override
                public void flush(boolean ended) {
                    store.flush();
                }

                @Override
                public void close() {
                    store.close();
                }
            };
        }

        private static void sendLater(Store store, ProcessingTimeService time, long everyMs) {
            time.registerTimer(time.getCurrentProcessingTime() + everyMs, now -> {
                store.send();
                sendLater(store, time, everyMs);
            });
        }
    }
}
