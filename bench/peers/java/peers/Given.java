package peers;

import java.nio.file.Path;

/** What bench/peers/jvm.py gives these programs, as variables of their environment. */
record Given(
        String epoch,
        String bootstrap,
        String topic,
        String cassandraHost,
        int cassandraPort,
        String keyspace,
        String user,
        String password,
        Path words,
        Path folder,
        long records,
        int fetchMinBytes,
        long writeMs) {
    static Given read() {
        return new Given(
                get("EPOCH"),
                get("BOOTSTRAP"),
                get("TOPIC"),
                get("CASSANDRA_HOST"),
                Integer.parseInt(get("CASSANDRA_PORT")),
                get("KEYSPACE"),
                get("USER"),
                get("PASSWORD"),
                Path.of(get("WORDS")),
                Path.of(get("FOLDER")),
                Long.parseLong(get("RECORDS")),
                Integer.parseInt(get("FETCH_MIN_BYTES")),
                Long.parseLong(get("WRITE_MS")));
    }

    private static String get(String name) {
        String value = System.getenv("PEER_" + name);
        if (value == null) {
            throw new IllegalStateException("PEER_" + name + " is not set: start this with python -m bench.peers.jvm");
        }
        return value;
    }
}
