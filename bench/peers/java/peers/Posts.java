package peers;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import java.util.function.BiConsumer;

/** What a record of the topic counts as: parsed only where an alias may stand in its line. Safe to share. */
final class Posts {
    @JsonIgnoreProperties(ignoreUnknown = true)
    record Line(Post data) {}

    @JsonIgnoreProperties(ignoreUnknown = true)
    record Post(String id, String text, String created_at, String lang, List<Reference> referenced_tweets) {}

    @JsonIgnoreProperties(ignoreUnknown = true)
    record Reference(String type) {}

    private static final ObjectReader READER = new ObjectMapper().readerFor(Line.class);
    private static final long MINUTE_MS = 60_000;

    private final Words words;

    Posts(Words words) {
        this.words = words;
    }

    /** Gives each cell that the post of a record counts in, with its id; nothing for a record that names no drink. */
    void cells(byte[] key, byte[] value, BiConsumer<String, Long> to) throws IOException {
        if (!words.mayStandIn(value)) {
            return;
        }
        Post post = ((Line) READER.readValue(value)).data;
        if (post == null || post.text == null) {
            return;
        }
        String lang = post.lang == null ? "und" : post.lang;
        var levels = words.levels(post.text, lang);
        if (levels.isEmpty()) {
            return;
        }
        String name = new String(key, StandardCharsets.UTF_8);
        String source = name.substring(0, name.indexOf(':'));
        long minute = Instant.parse(post.created_at).toEpochMilli() / MINUTE_MS * MINUTE_MS;
        long id = Long.parseLong(post.id);
        for (String level : levels) {
            to.accept(minute + "\t" + level + "\t" + source + "\t" + kind(post) + "\t" + lang, id);
        }
    }

    private static String kind(Post post) {
        if (post.referenced_tweets == null || post.referenced_tweets.isEmpty()) {
            return "original";
        }
        var types = post.referenced_tweets.stream().map(Reference::type).toList();
        return types.contains("retweeted") ? "repost" : types.contains("quoted") ? "quote" : "reply";
    }
}
