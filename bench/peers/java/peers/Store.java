package peers;

import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.config.DefaultDriverOption;
import com.datastax.oss.driver.api.core.config.DriverConfigLoader;
import com.datastax.oss.driver.api.core.cql.BatchStatement;
import com.datastax.oss.driver.api.core.cql.BatchType;
import com.datastax.oss.driver.api.core.cql.BoundStatement;
import com.datastax.oss.driver.api.core.cql.PreparedStatement;
import com.datastax.oss.driver.api.core.cql.Statement;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicReference;

/** Upserts of whole cells, in unlogged batches of one partition each, some of them under way. For one thread. */
final class Store implements AutoCloseable {
    private static final int BATCH_ROWS = 100;
    private static final int BATCH_BYTES = 512 * 1024;
    private static final int IN_FLIGHT = 16;
    private static final DateTimeFormatter HOUR =
            DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH").withZone(ZoneOffset.UTC);

    /** Rows of one partition that wait for their batch. */
    private static final class Waiting {
        final List<BoundStatement> rows = new ArrayList<>();
        int bytes;
    }

    private final CqlSession session;
    private final PreparedStatement cell;
    private final PreparedStatement hour;
    private final String epoch;
    private final Map<String, Waiting> waiting = new HashMap<>();
    private final Set<String> hours = new HashSet<>();
    private final Semaphore flight = new Semaphore(IN_FLIGHT);
    private final AtomicReference<Throwable> failure = new AtomicReference<>();

    Store(Given given) {
        epoch = given.epoch();
        session = CqlSession.builder()
                .addContactPoint(new InetSocketAddress(given.cassandraHost(), given.cassandraPort()))
                .withLocalDatacenter("datacenter1")
                .withAuthCredentials(given.user(), given.password())
                .withKeyspace(given.keyspace())
                .withConfigLoader(DriverConfigLoader.programmaticBuilder()
                        .withDuration(DefaultDriverOption.REQUEST_TIMEOUT, Duration.ofSeconds(30))
                        .withString(DefaultDriverOption.REQUEST_CONSISTENCY, "LOCAL_QUORUM")
                        .build())
                .build();
        cell = session.prepare("INSERT INTO speed_cells_v1 "
                + "(epoch, hour, category, minute, brand, source, kind, lang, slot, shard, n, ids) "
                + "VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?)");
        hour = session.prepare("INSERT INTO speed_hours_v1 (epoch, hour, touched) VALUES (?, ?, ?)");
    }

    /** Takes a cell as Posts names it, with the first `n` of `ids`, ascending and each once. */
    void put(String named, long[] ids, int n) {
        String[] part = named.split("\t", -1);
        long minute = Long.parseLong(part[0]);
        String in = HOUR.format(Instant.ofEpochMilli(minute));
        if (hours.add(in)) {
            send(hour.bind(epoch, in, Instant.now()), 0);
        }
        ByteBuffer blob = pack(ids, n);
        String partition = in + part[1];
        Waiting rows = waiting.computeIfAbsent(partition, name -> new Waiting());
        rows.bytes += blob.remaining();
        rows.rows.add(cell.bind(
                epoch, in, part[1], (byte) (minute / 60_000 % 60), part[2], part[3], part[4], part[5], n, blob));
        if (rows.rows.size() >= BATCH_ROWS || rows.bytes >= BATCH_BYTES) {
            waiting.remove(partition);
            send(rows);
        }
    }

    /** Sends what waits. */
    void send() {
        waiting.values().forEach(this::send);
        waiting.clear();
    }

    /** Sends what waits, and waits until all of it is acknowledged. */
    void flush() {
        send();
        flight.acquireUninterruptibly(IN_FLIGHT);
        flight.release(IN_FLIGHT);
        check();
    }

    @Override
    public void close() {
        session.close();
    }

    private void send(Waiting rows) {
        send(BatchStatement.newInstance(BatchType.UNLOGGED).addAll(rows.rows), rows.rows.size());
    }

    private void send(Statement<?> statement, int cells) {
        check();
        flight.acquireUninterruptibly();
        session.executeAsync(statement).whenComplete((answer, fault) -> {
            if (fault != null) {
                failure.compareAndSet(null, fault);
            } else {
                Drained.WRITTEN.add(cells);
            }
            flight.release();
        });
    }

    private void check() {
        if (failure.get() != null) {
            throw new IllegalStateException("Cassandra did not take a write", failure.get());
        }
    }

    /** The codec of drinkstream/cells.py: 0x01, how many, the least, differences as LEB128; little-endian. */
    static ByteBuffer pack(long[] ids, int n) {
        ByteBuffer blob = ByteBuffer.allocate(13 + 10 * n).order(ByteOrder.LITTLE_ENDIAN);
        blob.put((byte) 1).putInt(n).putLong(ids[0]);
        for (int at = 1; at < n; at++) {
            long difference = ids[at] - ids[at - 1];
            while (Long.compareUnsigned(difference, 0x7F) > 0) {
                blob.put((byte) (difference & 0x7F | 0x80));
                difference >>>= 7;
            }
            blob.put((byte) difference);
        }
        return blob.flip();
    }
}
