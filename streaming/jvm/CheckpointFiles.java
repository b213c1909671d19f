package drinkstream;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.attribute.PosixFilePermissions;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocalFileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.spark.sql.execution.streaming.checkpointing.FileSystemBasedCheckpointFileManager;

/**
 * Spark's own files of a checkpoint, where they are local without a process for each file that is made.
 *
 * Without its native library Hadoop starts `chmod` behind each file and behind each checksum: eight times in a
 * micro-batch, six of them one after the other.
 */
public final class CheckpointFiles extends FileSystemBasedCheckpointFileManager {
    public CheckpointFiles(Path path, Configuration conf) {
        super(path, withoutProcesses(conf));
    }

    private static Configuration withoutProcesses(Configuration conf) {
        Configuration mine = new Configuration(conf);
        mine.setClass("fs.file.impl", Local.class, FileSystem.class);
        // what is cached was made by others' settings
        mine.setBoolean("fs.file.impl.disable.cache", true);
        return mine;
    }

    /** Hadoop's local files with their checksums; Hadoop makes it by its name. */
    public static final class Local extends LocalFileSystem {
        public Local() {
            super(new Raw());
        }
    }

    private static final class Raw extends RawLocalFileSystem {
        public void setPermission(Path path, FsPermission permission) throws IOException {
            File file = this.pathToFile(path);
            // of the sticky bit, which these do not know, there is none on files
            String letters = permission.getUserAction().SYMBOL
                + permission.getGroupAction().SYMBOL
                + permission.getOtherAction().SYMBOL;
            Files.setPosixFilePermissions(file.toPath(), PosixFilePermissions.fromString(letters));
        }
    }
}
