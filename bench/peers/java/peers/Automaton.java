package peers;

import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * An Aho-Corasick automaton over bytes with all its transitions laid out, so that a byte costs one look into a table.
 * ASCII letters count in either case. Safe to share once it is laid out.
 */
final class Automaton {
    /** Whether what was found at line[begin] to line[end - 1] counts. */
    interface Check {
        boolean holds(byte[] line, int begin, int end, int flags);
    }

    private final List<int[]> trie = new ArrayList<>(List.of(new int[256]));
    private final List<int[]> ends = new ArrayList<>();
    private int[] next;
    private int classes;
    private final int[] classOf = new int[256];
    /** By state: lengths and flags of all that ends there, one after the other; null for most. */
    private int[][] found;

    /** Seeks `pattern`; `flags` come back with it. */
    void add(String pattern, int flags) {
        byte[] bytes = pattern.getBytes(StandardCharsets.UTF_8);
        int state = 0;
        for (byte one : bytes) {
            int at = lower(one & 0xFF);
            if (trie.get(state)[at] == 0) {
                trie.get(state)[at] = trie.size();
                trie.add(new int[256]);
            }
            state = trie.get(state)[at];
        }
        ends.add(new int[] {state, bytes.length, flags});
    }

    /** Lays out the transitions; nothing can be added any more. */
    void layOut() {
        boolean[] used = new boolean[256];
        trie.forEach(node -> {
            for (int at = 0; at < 256; at++) {
                used[at] |= node[at] != 0;
            }
        });
        int[] byteOf = new int[257];
        classes = 1;
        for (int at = 0; at < 256; at++) {
            if (used[at]) {
                byteOf[classes] = at;
                classOf[at] = classes++;
            }
        }
        for (int at = 'A'; at <= 'Z'; at++) {
            classOf[at] = classOf[lower(at)];
        }
        found = new int[trie.size()][];
        for (int[] end : ends) {
            found[end[0]] = joined(found[end[0]], new int[] {end[1], end[2]});
        }
        next = new int[trie.size() * classes];
        int[] fail = new int[trie.size()];
        ArrayDeque<Integer> queue = new ArrayDeque<>(List.of(0));
        while (!queue.isEmpty()) {
            int state = queue.remove();
            found[state] = state == 0 ? null : joined(found[state], found[fail[state]]);
            for (int one = 1; one < classes; one++) {
                int child = trie.get(state)[byteOf[one]];
                int otherwise = state == 0 ? 0 : next[fail[state] * classes + one];
                next[state * classes + one] = child == 0 ? otherwise : child;
                if (child != 0) {
                    fail[child] = otherwise;
                    queue.add(child);
                }
            }
        }
        // by where its row begins, and below zero where something ends, so that a step is one addition and one look
        for (int at = 0; at < next.length; at++) {
            int state = next[at];
            next[at] = found[state] == null ? state * classes : ~(state * classes);
        }
        trie.clear();
    }

    /** Whether anything is found in a line that counts. */
    boolean any(byte[] line, Check check) {
        int row = 0;
        for (int at = 0; at < line.length; at++) {
            row = next[row + classOf[line[at] & 0xFF]];
            if (row < 0) {
                row = ~row;
                int[] here = found[row / classes];
                for (int one = 0; one < here.length; one += 2) {
                    if (check.holds(line, at + 1 - here[one], at + 1, here[one + 1])) {
                        return true;
                    }
                }
            }
        }
        return false;
    }

    private static int lower(int one) {
        return one >= 'A' && one <= 'Z' ? one + 32 : one;
    }

    private static int[] joined(int[] some, int[] others) {
        if (some == null || others == null) {
            return some == null ? others : some;
        }
        int[] all = Arrays.copyOf(some, some.length + others.length);
        System.arraycopy(others, 0, all, some.length, others.length);
        return all;
    }
}
