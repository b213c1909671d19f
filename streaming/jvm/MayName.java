package drinkstream;

import com.gliwka.hyperscan.jni.hs_database_t;
import com.gliwka.hyperscan.jni.hs_scratch_t;
import com.gliwka.hyperscan.jni.hyperscan;
import com.gliwka.hyperscan.jni.match_event_handler;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.apache.spark.SparkFiles;
import org.apache.spark.sql.api.java.UDF1;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;

/**
 * Whether anything that the prefilter seeks stands in a raw line (binary -> boolean, false for null): the first of its
 * steps, before lines go to Python, where all of them are taken. It has no words of its own: its Hyperscan database is
 * the one that the prefilter compiled, a file that was given to Spark under `name`.
 *
 * Written for the compiler that Spark brings along, which makes no bridges for generic methods.
 */
public final class MayName implements UDF1 {
    private static final int TERMINATED = -3;
    private static final ConcurrentHashMap LOADED = new ConcurrentHashMap();

    private final String name;
    private transient Database database;

    public MayName(String name) {
        this.name = name;
    }

    public Object call(Object line) throws Exception {
        if (line == null) {
            return Boolean.FALSE;
        }
        if (this.database == null) {
            this.database = Database.of(this.name);
        }
        // Spark reads ahead in threads of its own, a new one for each task: scratch space is not bound to a thread
        Scanner scanner = (Scanner) this.database.idle.poll();
        if (scanner == null) {
            scanner = new Scanner(this.database);
        }
        boolean found = scanner.finds((byte[]) line);
        this.database.idle.offer(scanner);
        return Boolean.valueOf(found);
    }

    private static void check(int code, String what) {
        if (code != 0) {
            throw new IllegalStateException("Hyperscan's " + what + " ended with " + code);
        }
    }

    /** One database for all tasks of a process, and the scanners that no task uses right now. */
    private static final class Database {
        final hs_database_t handle;
        final ConcurrentLinkedQueue idle = new ConcurrentLinkedQueue();

        private Database(byte[] serialised) {
            PointerPointer out = new PointerPointer(1L);
            check(hyperscan.hs_deserialize_database(new BytePointer(serialised), (long) serialised.length, out), "load");
            this.handle = new hs_database_t(out.get(0L));
        }

        static synchronized Database of(String name) throws IOException {
            Database found = (Database) LOADED.get(name);
            if (found == null) {
                found = new Database(Files.readAllBytes(Paths.get(SparkFiles.get(name), new String[0])));
                LOADED.put(name, found);
            }
            return found;
        }
    }

    /** The space of one scan at a time; the first match ends it. */
    private static final class Scanner extends match_event_handler {
        private final Database database;
        private final hs_scratch_t scratch;
        private BytePointer buffer = new BytePointer(64L * 1024L);

        Scanner(Database database) {
            super();
            this.database = database;
            PointerPointer out = new PointerPointer(1L);
            out.put(0L, (Pointer) null);
            check(hyperscan.hs_alloc_scratch(database.handle, out), "scratch space");
            this.scratch = new hs_scratch_t(out.get(0L));
        }

        public int call(int number, long from, long to, int flags, Pointer context) {
            return 1;
        }

        boolean finds(byte[] line) {
            if (line.length > this.buffer.capacity()) {
                this.buffer.close();
                this.buffer = new BytePointer((long) line.length);
            }
            this.buffer.put(line, 0, line.length);
            int code = hyperscan.hs_scan(this.database.handle, this.buffer, line.length, 0, this.scratch, this, null);
            if (code != TERMINATED) {
                check(code, "scan");
            }
            return code == TERMINATED;
        }
    }
}
