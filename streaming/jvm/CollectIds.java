package drinkstream;

import com.esotericsoftware.kryo.Kryo;
import com.esotericsoftware.kryo.KryoSerializable;
import com.esotericsoftware.kryo.io.Input;
import com.esotericsoftware.kryo.io.Output;
import java.util.Arrays;
import org.apache.spark.sql.Encoder;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.expressions.Aggregator;

/**
 * The set of a group's 64-bit integers, none below 0, as `pack` in drinkstream/cells.py packs it (bigint -> binary;
 * null adds nothing).
 *
 * In place of collect_set, since integers stay out of objects and in order: a large set from the state and a small new
 * one are merged in one pass. The state holds them packed, too.
 *
 * Written for the compiler that Spark brings along, which makes no bridges for generic methods.
 */
public final class CollectIds extends Aggregator {
    private static final int INTEGERS = 1;

    public Object zero() {
        return new Ids();
    }

    public Object reduce(Object ids, Object id) {
        if (id != null) {
            ((Ids) ids).add(((Long) id).longValue());
        }
        return ids;
    }

    public Object merge(Object ids, Object others) {
        ((Ids) ids).addAll((Ids) others);
        return ids;
    }

    public Object finish(Object ids) {
        return ((Ids) ids).packed();
    }

    public Encoder bufferEncoder() {
        return Encoders.kryo(Ids.class);
    }

    public Encoder outputEncoder() {
        return Encoders.BINARY();
    }

    /** The ids that were added; in order and each once as soon as anyone looks. */
    public static final class Ids implements KryoSerializable {
        private long[] ids = new long[8];
        private int size = 0;
        private boolean ordered = true;

        void add(long id) {
            this.reserve(1);
            this.ordered = this.ordered && (this.size == 0 || this.ids[this.size - 1] < id);
            this.ids[this.size++] = id;
        }

        void addAll(Ids others) {
            if (others.size == 0) {
                return;
            }
            this.reserve(others.size);
            this.ordered =
                this.ordered && others.ordered && (this.size == 0 || this.ids[this.size - 1] < others.ids[0]);
            System.arraycopy(others.ids, 0, this.ids, this.size, others.size);
            this.size += others.size;
        }

        /** As `pack` says: the form, how many, the least, then the differences of neighbours as LEB128. */
        byte[] packed() {
            this.order();
            // of its own, since what Kryo hands over writes integers as its settings say
            Output out = new Output(16 + 4 * this.size, -1);
            out.writeByte(INTEGERS);
            out.writeInt(Integer.reverseBytes(this.size));
            if (this.size > 0) {
                out.writeLong(Long.reverseBytes(this.ids[0]));
            }
            for (int at = 1; at < this.size; at++) {
                out.writeLong(this.ids[at] - this.ids[at - 1], true);
            }
            return out.toBytes();
        }

        public void write(Kryo kryo, Output out) {
            byte[] packed = this.packed();
            out.writeInt(packed.length);
            out.writeBytes(packed);
        }

        public void read(Kryo kryo, Input in) {
            Input packed = new Input(in.readBytes(in.readInt()));
            int form = packed.readByte();
            if (form != INTEGERS) {
                throw new IllegalStateException("the state holds ids in the form " + form + ", not " + INTEGERS);
            }
            this.size = Integer.reverseBytes(packed.readInt());
            this.ids = new long[Math.max(8, this.size)];
            this.ordered = true;
            if (this.size > 0) {
                this.ids[0] = Long.reverseBytes(packed.readLong());
            }
            for (int at = 1; at < this.size; at++) {
                this.ids[at] = this.ids[at - 1] + packed.readLong(true);
            }
        }

        private void reserve(int more) {
            int needed = Math.addExact(this.size, more);
            if (needed > this.ids.length) {
                this.ids = Arrays.copyOf(this.ids, Math.max(needed, this.ids.length + (this.ids.length >> 1)));
            }
        }

        private void order() {
            if (this.ordered) {
                return;
            }
            // sorting merges what is sorted in parts already
            Arrays.sort(this.ids, 0, this.size);
            int kept = 1;
            for (int at = 1; at < this.size; at++) {
                if (this.ids[at] != this.ids[kept - 1]) {
                    this.ids[kept++] = this.ids[at];
                }
            }
            this.size = kept;
            this.ordered = true;
        }
    }
}
