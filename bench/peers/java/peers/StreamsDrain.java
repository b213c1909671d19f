package peers;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * The drain on Kafka Streams: matched as it is read, repartitioned by cell, each (cell, id) once in a store in memory
 * with its changelog in Kafka, so that nothing grows with a cell's size but what is written of it: once in each interval
 * that it is given, whole.
 */
public final class StreamsDrain {
    private static final String SEEN = "seen";
    private static final int CORES = 2;

    private StreamsDrain() {}

    public static void main(String[] args) throws Exception {
        Given given = Given.read();
        String application = given.epoch();
        StreamsBuilder builder = new StreamsBuilder();
        Posts posts = new Posts(Words.read(given.words()));
        builder.addStateStore(Stores.keyValueStoreBuilder(
                        Stores.inMemoryKeyValueStore(SEEN), Serdes.ByteArray(), Serdes.ByteArray())
                .withLoggingEnabled(Map.of()));
        builder.stream(given.topic(), Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
                .process(() -> new Matching(posts))
                .repartition(Repartitioned.<String, Long>as("cells")
                        .withKeySerde(Serdes.String())
                        .withValueSerde(Serdes.Long())
                        .withNumberOfPartitions(CORES))
                .process(() -> new Counting(given), SEEN);
        AtomicReference<Throwable> failure = new AtomicReference<>();
        KafkaStreams streams = new KafkaStreams(builder.build(), settings(given, application));
        streams.setUncaughtExceptionHandler(fault -> {
            failure.compareAndSet(null, fault);
            return StreamThreadExceptionResponse.SHUTDOWN_APPLICATION;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            streams.close();
            forget(given, application);
        }));
        streams.start();
        Drained.say(given.records(), () -> {
            if (failure.get() != null) {
                throw new IllegalStateException("Kafka Streams gave up", failure.get());
            }
        });
        new CountDownLatch(1).await();
    }

    private static Properties settings(Given given, String application) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, application);
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, given.bootstrap());
        settings.put(StreamsConfig.STATE_DIR_CONFIG, given.folder().toString());
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, CORES);
        settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 10_000);
        settings.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 10_000);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 10_000);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG), 4_000_000);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 262_144);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 50);
        return settings;
    }

    /** Removes the topics that Kafka Streams made for itself, and its group. */
    private static void forget(Given given, String application) {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", given.bootstrap()))) {
            List<String> own = admin.listTopics().names().get().stream()
                    .filter(name -> name.startsWith(application + "-"))
                    .toList();
            admin.deleteTopics(own).all().get();
            admin.deleteConsumerGroups(List.of(application)).all().get();
        } catch (Exception fault) {
            throw new IllegalStateException("the topics of " + application + " are left behind", fault);
        }
    }

    /** Kafka's records -> (cell, id), none for most. */
    private static final class Matching implements Processor<byte[], byte[], String, Long> {
        private final Posts posts;
        private ProcessorContext<String, Long> context;

        Matching(Posts posts) {
            this.posts = posts;
        }

        @Override
        public void init(ProcessorContext<String, Long> context) {
            this.context = context;
        }

        @Override
        public void process(Record<byte[], byte[]> record) {
            try {
                posts.cells(record.key(), record.value(), (cell, id) -> {
                    Drained.FOUND.increment();
                    context.forward(new Record<>(cell, id, record.timestamp()));
                });
            } catch (IOException fault) {
                throw new IllegalStateException("a line that is no JSON", fault);
            }
            Drained.RECORDS.increment();
        }
    }

    private static final class Counting implements Processor<String, Long, Void, Void> {
        private final Given given;
        private final Set<String> changed = new HashSet<>();
        private KeyValueStore<byte[], byte[]> seen;
        private Store store;

        Counting(Given given) {
            this.given = given;
        }

        @Override
        public void init(ProcessorContext<Void, Void> context) {
            seen = context.getStateStore(SEEN);
            store = new Store(given);
            context.schedule(Duration.ofMillis(given.writeMs()), PunctuationType.WALL_CLOCK_TIME, now -> write());
        }

        @Override
        public void process(Record<String, Long> record) {
            byte[] cell = prefix(record.key());
            byte[] key = ByteBuffer.allocate(cell.length + Long.BYTES).put(cell).putLong(record.value()).array();
            if (seen.putIfAbsent(key, new byte[0]) == null && changed.add(record.key())) {
                Drained.CHANGED.increment();
            }
            Drained.TAKEN.increment();
        }

        @Override
        public void close() {
            store.close();
        }

        private void write() {
            for (String cell : changed) {
                byte[] prefix = prefix(cell);
                long[] ids = new long[16];
                int n = 0;
                try (var found = seen.prefixScan(prefix, new ByteArraySerializer())) {
                    while (found.hasNext()) {
                        if (n == ids.length) {
                            ids = Arrays.copyOf(ids, 2 * n);
                        }
                        // ids are not negative, so the order of their bytes is theirs
                        ids[n++] = ByteBuffer.wrap(found.next().key).getLong(prefix.length);
                    }
                }
                store.put(cell, ids, n);
            }
            changed.clear();
            store.flush();
        }

        private static byte[] prefix(String cell) {
            return (cell + "\n").getBytes(StandardCharsets.UTF_8);
        }
    }
}
