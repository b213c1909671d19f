package peers;

import com.hankcs.algorithm.AhoCorasickDoubleArrayTrie;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** The aliases of bench/peers/words.py in Aho-Corasick automata. What stands in a text counts. Safe to share. */
final class Words {
    /** One meaning of an alias; category and brand are "" for none, langs is empty for all. */
    record Sense(String category, String brand, boolean before, boolean after, Set<String> langs) {}

    private record Found(int begin, int end, Sense sense) {}

    private static final int BEFORE = 1;
    private static final int AFTER = 2;

    private final AhoCorasickDoubleArrayTrie<Sense[]> aliases = new AhoCorasickDoubleArrayTrie<>();
    private final Automaton lines = new Automaton();

    private Words(Map<String, Sense[]> senses) {
        aliases.build(senses);
        // an escape may hide a letter of an alias
        lines.add("\\u", BEFORE | AFTER);
        senses.forEach((alias, found) -> {
            // a phrase is in no line that one of its words is not in
            boolean told = alias.contains(" ") && Arrays.stream(alias.split(" ")).anyMatch(senses::containsKey);
            for (Sense sense : told ? new Sense[0] : found) {
                int flags = (sense.before ? BEFORE : 0) | (sense.after ? AFTER : 0);
                // the automaton knows both cases of ASCII only
                String upper = alias.toUpperCase(Locale.ROOT);
                Set.copyOf(List.of(alias, upper, upper.substring(0, 1) + alias.substring(1)))
                        .forEach(spelling -> lines.add(spelling, flags));
            }
        });
        lines.layOut();
    }

    static Words read(Path file) throws IOException {
        Map<String, List<Sense>> listed = new TreeMap<>();
        for (String line : Files.readAllLines(file)) {
            String[] part = line.split("\t", -1);
            Set<String> langs = part[5].isEmpty() ? Set.of() : Set.of(part[5].split(","));
            Sense sense = new Sense(part[1], part[2], !part[3].isEmpty(), !part[4].isEmpty(), langs);
            listed.computeIfAbsent(part[0], alias -> new ArrayList<>()).add(sense);
        }
        Map<String, Sense[]> senses = new TreeMap<>();
        listed.forEach((alias, found) -> senses.put(alias, found.toArray(Sense[]::new)));
        return new Words(senses);
    }

    /** Whether a raw line of JSON may name anything; false is certain. */
    boolean mayStandIn(byte[] line) {
        return lines.any(line, Words::mayBeWord);
    }

    private static boolean mayBeWord(byte[] line, int begin, int end, int flags) {
        // the letter of an escape, \n above all, is none of the word behind it
        boolean free = (flags & BEFORE) != 0 || !letter(line, begin - 1) || begin > 1 && line[begin - 2] == '\\';
        return free && ((flags & AFTER) != 0 || !letter(line, end));
    }

    /** The levels that a text counts in, each as "category\tbrand" and once; long aliases settle what is in them. */
    Set<String> levels(String written, String lang) {
        String text = written.toLowerCase(Locale.ROOT);
        List<Found> all = new ArrayList<>();
        aliases.parseText(text, (begin, end, senses) -> {
            for (Sense sense : senses) {
                if ((sense.before || !letter(text, begin - 1))
                        && (sense.after || !letter(text, end))
                        && (sense.langs.isEmpty() || sense.langs.contains(lang))) {
                    all.add(new Found(begin, end, sense));
                    return true;
                }
            }
            return true;
        });
        all.sort(Comparator.comparingInt((Found found) -> found.begin - found.end).thenComparingInt(Found::begin));
        BitSet settled = new BitSet(text.length());
        Set<String> levels = new TreeSet<>();
        for (Found found : all) {
            if (settled.get(found.begin) || settled.get(found.end - 1)) {
                continue;
            }
            settled.set(found.begin, found.end);
            String category = found.sense.category;
            String brand = found.sense.brand;
            if (!category.isEmpty()) {
                levels.add("*\t");
                levels.add(category + "\t");
                if (!brand.isEmpty()) {
                    levels.add(category + "\t" + brand);
                }
            }
            if (!brand.isEmpty()) {
                levels.add("*\t*");
                levels.add("*\t" + brand);
            }
        }
        return levels;
    }

    /** Of ASCII only: another one may be a letter, or not. */
    private static boolean letter(byte[] line, int at) {
        int one = at >= 0 && at < line.length ? line[at] : 0;
        return one >= 'a' && one <= 'z' || one >= 'A' && one <= 'Z' || one >= '0' && one <= '9' || one == '_';
    }

    private static boolean letter(String text, int at) {
        return at >= 0 && at < text.length() && (Character.isLetterOrDigit(text.charAt(at)) || text.charAt(at) == '_');
    }
}
