package peers;

import java.util.ArrayDeque;
import java.util.Locale;
import java.util.concurrent.atomic.LongAdder;

/** How far a program of one process has got: counted by its parts, said by `say` in lines of JSON. */
final class Drained {
    /**
     * Records read, pairs of cell and id found in them, pairs taken into cells, cells changed, changed cells written. A
     * pair is counted as found before its record is as read, a cell as changed before its pair is as taken.
     */
    static final LongAdder RECORDS = new LongAdder();

    static final LongAdder FOUND = new LongAdder();
    static final LongAdder TAKEN = new LongAdder();
    static final LongAdder CHANGED = new LongAdder();
    static final LongAdder WRITTEN = new LongAdder();

    /** Raises where what is waited for has failed. */
    interface Going {
        void check() throws Exception;
    }

    private Drained() {}

    /** Says how many records are read of which all is written, every tenth of a second, until these are all. */
    static void say(long records, Going going) throws Exception {
        // how far it had got: (read, found) until those are taken, then (read, changed) until those are written
        ArrayDeque<long[]> taking = new ArrayDeque<>();
        ArrayDeque<long[]> writing = new ArrayDeque<>();
        long drained = 0;
        while (drained < records) {
            Thread.sleep(100);
            going.check();
            // each is final once the one before it is, since it is counted before it
            long read = RECORDS.sum();
            long found = FOUND.sum();
            long taken = TAKEN.sum();
            long changed = CHANGED.sum();
            long written = WRITTEN.sum();
            taking.add(new long[] {read, found});
            while (!taking.isEmpty() && taken >= taking.element()[1]) {
                writing.add(new long[] {taking.remove()[0], changed});
            }
            while (!writing.isEmpty() && written >= writing.element()[1]) {
                drained = writing.remove()[0];
            }
            System.out.printf(
                    Locale.ROOT,
                    "{\"posts\": %d, \"read\": %d, \"at\": %.3f, \"ended\": %b}%n",
                    drained,
                    read,
                    System.currentTimeMillis() / 1000.0,
                    drained >= records);
        }
    }
}
