import java.io.BufferedOutputStream;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import java.util.zip.CRC32;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.errors.InvalidMetadataException;
import org.apache.kafka.common.errors.RefreshRetriableException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.errors.UnsupportedVersionException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.message.RequestHeaderData;
import org.apache.kafka.common.message.ResponseHeaderData;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.BaseRecords;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.requests.RequestUtils;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.common.utils.Utils;

/**
 * Answers from the real Java client, as lines of text: `tests/kafka/cluster oracle COMMAND ..`.
 *
 * The commands batches, partitions, config, errors, frames and serializers take no arguments and always print the
 * same; what they printed is kept in tests/golden (`write FOLDER` and `check FOLDER`).
 * `read BOOTSTRAP TOPIC ..` prints every record of the topics, `send BOOTSTRAP TOPIC [key=value ..]` sends such lines.
 * `transact BOOTSTRAP TOPIC ID` runs transactions to commit, to abort and to be fenced, and says what came of them.
 *
 * Bytes in a line are one of these words: `null`, `=HEX` (`=` alone is empty), `rep:LENGTH:HEX` (one byte repeated),
 * `gen:LENGTH:SEED` (byte i is bits 32 to 39 of the i-th state of xorshift64, see {@link Xorshift}).
 */
public final class Oracle {
    public static void main(String[] arguments) throws Exception {
        String command = arguments.length == 0 ? "" : arguments[0];
        if (GOLDEN.containsKey(command)) {
            print(System.out, command);
        } else if (command.equals("write") || command.equals("check")) {
            golden(Path.of(arguments[1]), command.equals("write"));
        } else if (command.equals("read")) {
            read(arguments[1], Arrays.copyOfRange(arguments, 2, arguments.length));
        } else if (command.equals("transact")) {
            transact(arguments[1], arguments[2], arguments[3]);
        } else if (command.equals("expire")) {
            expire(arguments[1], arguments[2], arguments[3]);
        } else if (command.equals("send")) {
            send(arguments[1], arguments[2], Arrays.copyOfRange(arguments, 3, arguments.length));
        } else {
            System.err.println("commands: " + GOLDEN.keySet() + ", write FOLDER, check FOLDER, read .., send .., transact .., expire ..");
            System.exit(2);
        }
    }

    interface Table {
        void print(PrintStream out) throws Exception;
    }

    static final Map<String, Table> GOLDEN = new TreeMap<>(Map.of(
        "batches", Oracle::batches, "partitions", Oracle::partitions, "config", Oracle::config,
        "errors", Oracle::errors, "frames", Oracle::frames, "serializers", Oracle::serializers));

    static void print(PrintStream out, String table) throws Exception {
        out.print("# made by: tests/kafka/cluster oracle " + table + " (kafka-clients 4.3.1)\n");
        GOLDEN.get(table).print(out);
        out.flush();
    }

    static void golden(Path folder, boolean write) throws Exception {
        boolean same = true;
        for (String table : GOLDEN.keySet()) {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            print(new PrintStream(bytes, false, StandardCharsets.UTF_8), table);
            Path file = folder.resolve(table + ".txt");
            if (write) {
                Files.write(file, bytes.toByteArray());
            } else if (!Files.exists(file) || !Arrays.equals(Files.readAllBytes(file), bytes.toByteArray())) {
                System.err.println(file + " differs from what the client prints: cluster oracle write " + folder);
                same = false;
            }
        }
        System.exit(same ? 0 : 1);
    }

    // Bytes as words.

    static String word(byte[] bytes) {
        return bytes == null ? "null" : "=" + HexFormat.of().formatHex(bytes);
    }

    static byte[] bytes(String word) {
        String[] parts = word.split(":");
        switch (parts[0]) {
            case "null":
                return null;
            case "rep":
                byte[] same = new byte[Integer.parseInt(parts[1])];
                Arrays.fill(same, (byte) Integer.parseInt(parts[2], 16));
                return same;
            case "gen":
                return new Xorshift(Long.parseLong(parts[2])).bytes(Integer.parseInt(parts[1]));
            default:
                return HexFormat.of().parseHex(word.substring(1));
        }
    }

    static String text(String utf8) {
        return "=" + HexFormat.of().formatHex(utf8.getBytes(StandardCharsets.UTF_8));
    }

    /** xorshift64 with the shifts 13, 7, 17; the seed (not 0) is the state before the first step. */
    static final class Xorshift {
        long state;

        Xorshift(long seed) {
            state = seed;
        }

        long next() {
            state ^= state << 13;
            state ^= state >>> 7;
            state ^= state << 17;
            return state;
        }

        byte[] bytes(int length) {
            byte[] bytes = new byte[length];
            for (int i = 0; i < length; i++)
                bytes[i] = (byte) (next() >>> 32);
            return bytes;
        }
    }

    // Record batches.

    /**
     * Lines `name TAB settings TAB records TAB bytes`. Settings are key=value words; records are words
     * `COUNT*TIMESTAMP+STEP|KEY|VALUE|HEADERS` where HEADERS are NAME;VALUE pairs joined by commas, names as `=HEX`.
     * Batches of more than 9,000 bytes are given as `crc32:LENGTH:HEX`, the CRC-32 (IEEE) of all their bytes.
     */
    static void batches(PrintStream out) {
        String plain = "1*1700000000000+0|=6b|=76|";
        String three = "3*1700000000000+7|=6b6579|=76616c7565|";
        Map<String, String> records = new LinkedHashMap<>();
        records.put("one record", plain);
        records.put("two records", "1*1700000000000+0|=6b31|=7631| 1*1700000000001+0|=6b32|=7632|");
        records.put("hundred records", "100*1700000000000+1|=6b6579|=76616c7565|");
        records.put("key null", "1*1700000000000+0|null|=76|");
        records.put("key empty", "1*1700000000000+0|=|=76|");
        records.put("value null", "1*1700000000000+0|=6b|null|");
        records.put("value empty", "1*1700000000000+0|=6b|=|");
        records.put("both null", "1*1700000000000+0|null|null|");
        records.put("both empty", "1*1700000000000+0|=|=|");
        records.put("one header", "1*1700000000000+0|=6b|=76|" + text("h") + ";=01");
        records.put("header value null", "1*1700000000000+0|=6b|=76|" + text("h") + ";null");
        records.put("header value empty", "1*1700000000000+0|=6b|=76|" + text("h") + ";=");
        records.put("header name empty", "1*1700000000000+0|=6b|=76|=;=01");
        records.put("header names equal", "1*1700000000000+0|=6b|=76|" + text("h") + ";=01," + text("h") + ";=02");
        records.put("header name in UTF-8", "1*1700000000000+0|=6b|=76|" + text("größe-鍵-🔑") + ";=ff");
        records.put("many headers", "1*1700000000000+0|=6b|=76|" + (text("h") + ";rep:9:2a,").repeat(70) + text("x") + ";null");
        records.put("long header", "1*1700000000000+0|null|null|" + text("n".repeat(200)) + ";rep:300:07");
        records.put("all null with header", "2*1700000000000+0|null|null|" + text("h") + ";null");
        records.put("timestamps fall", "5*1700000000000+-1000|=6b|=76|");
        records.put("timestamps fall far", "2*1700000000000+-1700000000000|=6b|=76|");
        records.put("timestamps jump up and down", "1*1000+0|=61|=31| 1*5+0|=62|=32| 1*999999999999+0|=63|=33| 1*1000+0|=64|=34|");
        records.put("timestamp 0", "1*0+0|=6b|=76|");
        records.put("timestamp -1", "1*-1+0|=6b|=76|");
        records.put("timestamps all -1", "3*-1+0|=6b|=76|");
        records.put("timestamp largest", "1*9223372036854775807+0|=6b|=76|");
        records.put("timestamp delta over 32 bits", "2*1700000000000+5000000000|=6b|=76|");
        records.put("value 63 bytes", "1*1700000000000+0|null|rep:63:61|");
        records.put("value 64 bytes", "1*1700000000000+0|null|rep:64:61|");
        records.put("value 8191 bytes", "1*1700000000000+0|null|gen:8191:11|");
        records.put("value 8192 bytes", "1*1700000000000+0|null|gen:8192:12|");
        records.put("key 5000 bytes", "1*1700000000000+0|gen:5000:13|=76|");
        records.put("value 100 kB", "1*1700000000000+0|=6b|gen:100000:14|");
        records.put("value 1 MB", "1*1700000000000+0|=6b|gen:1048000:15|");
        records.put("thousand records", "1000*1700000000000+3|gen:10:16|gen:90:17|" + text("trace") + ";gen:16:18");
        records.put("twenty thousand records", "20000*1700000000000+1|null|=76|");
        records.put("mixed records", "2*1700000000000+1|=6b|null| 1*1699999999999+0|null|=| 3*1700000000050+2|=|gen:40:19|"
            + text("a") + ";null," + text("b") + ";=00 1*1700000000000+0|gen:70:20|gen:500:21|");
        records.forEach((name, list) -> batch(out, name, "", list));
        batch(out, "producer id", "pid=4711 epoch=3 seq=42", three);
        batch(out, "producer id 0", "pid=0 epoch=0 seq=0", three);
        batch(out, "producer id largest", "pid=9223372036854775807 epoch=32767 seq=2147483647", plain);
        batch(out, "sequence wraps inside the batch", "pid=1000 epoch=1 seq=2147483646", three);
        batch(out, "transactional", "pid=4711 epoch=3 seq=7 txn=true", three);
        batch(out, "transactional with headers", "pid=1 epoch=0 seq=0 txn=true", records.get("many headers"));
        batch(out, "base offset", "base=123456789012", three);
        batch(out, "partition leader epoch", "base=5 leader=17 pid=8 epoch=1 seq=3", three);
        batch(out, "log append time", "append=1800000000000", three);
        batch(out, "log append time, mixed", "append=1800000000000 pid=8 epoch=1 seq=3", records.get("mixed records"));
        String[] codecs = {"gzip", "gzip level=1", "gzip level=9", "snappy", "lz4", "lz4 level=1", "lz4 level=17", "zstd",
            "zstd level=-5", "zstd level=22"};
        for (String codec : codecs)
            for (String name : List.of("one record", "mixed records", "hundred records"))
                batch(out, codec + ", " + name, "codec=" + codec, records.get(name));
        String longer = "400*1700000000000+3|=6b6579|" + text("a line of text that repeats itself ".repeat(4)) + "|";
        for (String codec : List.of("gzip", "snappy", "lz4", "zstd")) {
            batch(out, codec + ", several blocks", "codec=" + codec, longer + " 1*1700000000000+0|null|rep:70000:61|");
            batch(out, codec + ", random bytes", "codec=" + codec, "1*1700000000000+0|null|gen:3000:22|");
            batch(out, codec + ", transactional", "codec=" + codec + " pid=4711 epoch=3 seq=7 txn=true", three);
            batch(out, codec + ", log append time", "codec=" + codec + " append=1800000000000", three);
        }
        for (String magic : List.of("0", "1"))
            for (String codec : List.of("none", "gzip", "snappy", "lz4"))
                for (String name : List.of("one record", "hundred records", "key null", "value null"))
                    batch(out, "format " + magic + ", " + codec + ", " + name, "magic=" + magic + " codec=" + codec, records.get(name));
        batch(out, "format 1, log append time", "magic=1 append=1800000000000", three);
        batch(out, "format 1, gzip, log append time", "magic=1 codec=gzip append=1800000000000 base=77", three);
        for (ControlRecordType type : List.of(ControlRecordType.COMMIT, ControlRecordType.ABORT)) {
            MemoryRecords marker = MemoryRecords.withEndTransactionMarker(9, 1700000000000L, 4, 4711L, (short) 3, new EndTransactionMarker(type, 2));
            out.printf("control, %s\tcontrol=%s base=9 leader=4 pid=4711 epoch=3 coordinator=2\t1*1700000000000+0|null|null|\t%s\n",
                type, type, bytesOrDigest(marker.buffer()));
        }
    }

    static void batch(PrintStream out, String name, String settings, String records) {
        Map<String, String> set = new HashMap<>();
        for (String pair : settings.split(" "))
            if (!pair.isEmpty())
                set.put(pair.split("=")[0], pair.split("=")[1]);
        boolean append = set.containsKey("append");
        byte magic = Byte.parseByte(set.getOrDefault("magic", "2"));
        TimestampType type = append ? TimestampType.LOG_APPEND_TIME : magic == 0 ? TimestampType.NO_TIMESTAMP_TYPE : TimestampType.CREATE_TIME;
        MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(64), magic,
            codec(set.getOrDefault("codec", "none"), set.get("level")), type,
            Long.parseLong(set.getOrDefault("base", "0")), Long.parseLong(set.getOrDefault("append", "-1")),
            Long.parseLong(set.getOrDefault("pid", "-1")), Short.parseShort(set.getOrDefault("epoch", "-1")),
            Integer.parseInt(set.getOrDefault("seq", "-1")), Boolean.parseBoolean(set.get("txn")), false,
            Integer.parseInt(set.getOrDefault("leader", "-1")));
        for (String group : records.split(" ")) {
            String[] fields = group.split("\\|", -1);
            String[] times = fields[0].split("[*]|(?<=[0-9])[+]");
            for (int i = 0; i < Integer.parseInt(times[0]); i++)
                builder.append(Long.parseLong(times[1]) + i * Long.parseLong(times[2]), bytes(fields[1]), bytes(fields[2]), headers(fields[3]));
        }
        out.print(name + "\t" + settings + "\t" + records + "\t" + bytesOrDigest(builder.build().buffer()) + "\n");
    }

    static Compression codec(String name, String level) {
        switch (name) {
            case "gzip":
                return level == null ? Compression.gzip().build() : Compression.gzip().level(Integer.parseInt(level)).build();
            case "lz4":
                return level == null ? Compression.lz4().build() : Compression.lz4().level(Integer.parseInt(level)).build();
            case "zstd":
                return level == null ? Compression.zstd().build() : Compression.zstd().level(Integer.parseInt(level)).build();
            case "snappy":
                return Compression.snappy().build();
            default:
                return Compression.NONE;
        }
    }

    static Header[] headers(String list) {
        return Arrays.stream(list.split(",")).filter(pair -> !pair.isEmpty()).map(pair -> {
            String[] parts = pair.split(";");
            return new RecordHeader(new String(bytes(parts[0]), StandardCharsets.UTF_8), bytes(parts[1]));
        }).toArray(Header[]::new);
    }

    static String bytesOrDigest(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        if (bytes.length <= 9000)
            return HexFormat.of().formatHex(bytes);
        CRC32 crc = new CRC32();
        crc.update(bytes);
        return String.format("crc32:%d:%08x", bytes.length, crc.getValue());
    }

    // Key hash and partitions.

    /**
     * 100,000 keys from one Xorshift(20240229): the first step of a key gives its length class, bits 32 to 62 modulo 66
     * (65 is the null key), then one step per byte. Lines `KEY TAB hash TAB partition of 1, 3, 12, 100` for the first 200;
     * the last line is the CRC-32 over all: per key the hash and the four partitions as big-endian 32-bit numbers. A null
     * key has no hash (0) and no partitions (-1).
     */
    static void partitions(PrintStream out) {
        int[] counts = {1, 3, 12, 100};
        Xorshift random = new Xorshift(20240229);
        CRC32 crc = new CRC32();
        for (int i = 0; i < 100_000; i++) {
            int length = (int) ((random.next() >>> 32 & 0x7fffffff) % 66);
            byte[] key = length == 65 ? null : random.bytes(length);
            ByteBuffer answers = ByteBuffer.allocate(20);
            answers.putInt(key == null ? 0 : Utils.murmur2(key));
            for (int count : counts)
                answers.putInt(key == null ? -1 : BuiltInPartitioner.partitionForKey(key, count));
            crc.update(answers.array());
            if (i < 200)
                out.printf("%s\t%d\t%d\t%d\t%d\t%d\n", word(key), answers.getInt(0), answers.getInt(4), answers.getInt(8),
                    answers.getInt(12), answers.getInt(16));
        }
        out.printf("crc32\t%08x\n", crc.getValue());
    }

    // Configuration and errors.

    /** Lines `key | type | default | valid values | importance`. */
    static void config(PrintStream out) {
        for (ConfigDef.ConfigKey key : new TreeMap<>(ProducerConfig.configDef().configKeys()).values()) {
            Object value = key.defaultValue;
            String shown = value == ConfigDef.NO_DEFAULT_VALUE ? "<required>" : "" + value;
            out.printf("%s | %s | %s | %s | %s\n", key.name, key.type, shown, key.validator, key.importance);
        }
    }

    /** Lines `code | name | exception | retriable refresh invalid-metadata`, as far as they apply. */
    static void errors(PrintStream out) {
        Arrays.stream(Errors.values()).sorted(Comparator.comparingInt(Errors::code)).forEach(error -> {
            Exception e = error.exception();
            StringJoiner marks = new StringJoiner(" ");
            if (e instanceof RetriableException) marks.add("retriable");
            if (e instanceof RefreshRetriableException) marks.add("refresh");
            if (e instanceof InvalidMetadataException) marks.add("invalid-metadata");
            out.printf("%d | %s | %s | %s\n", error.code(), error, e == null ? "-" : e.getClass().getSimpleName(), marks);
        });
    }

    // Requests and responses.

    /**
     * Lines `API TAB request or response TAB version TAB header version TAB variant TAB JSON TAB bytes`: the header
     * (correlation id 305419896, client id "golden") and the message without the size in front. The JSON is what Java's
     * own converter says about the message. Variants: `default` (as constructed), `filled` (every field that the version
     * knows has a value), `nulls` (filled, and what may be null is null).
     */
    static void frames(PrintStream out) throws Exception {
        for (String name : List.of("API_VERSIONS", "METADATA", "PRODUCE", "INIT_PRODUCER_ID", "FIND_COORDINATOR",
            "CREATE_TOPICS", "FETCH", "LIST_OFFSETS", "ADD_PARTITIONS_TO_TXN", "ADD_OFFSETS_TO_TXN", "END_TXN",
            "TXN_OFFSET_COMMIT", "OFFSET_FETCH")) {
            ApiMessageType api = ApiMessageType.valueOf(name);
            boolean unstableToo = api == ApiMessageType.INIT_PRODUCER_ID;
            for (short version = api.lowestSupportedVersion(); version <= api.highestSupportedVersion(unstableToo); version++)
                for (boolean request : new boolean[]{true, false})
                    for (String variant : List.of("default", "filled", "nulls"))
                        frame(out, api, version, request, variant);
        }
    }

    static void frame(PrintStream out, ApiMessageType api, short version, boolean request, String variant) throws Exception {
        ApiMessage message = request ? api.newRequest() : api.newResponse();
        int[] counter = {0};
        if (!variant.equals("default"))
            fill(message, message, version, variant.equals("nulls"), counter);
        short headerVersion = request ? api.requestHeaderVersion(version) : api.responseHeaderVersion(version);
        Message header = request
            ? new RequestHeaderData().setRequestApiKey(api.apiKey()).setRequestApiVersion(version).setCorrelationId(305419896).setClientId("golden")
            : new ResponseHeaderData().setCorrelationId(305419896);
        Object json = json(message, version);
        ByteBuffer bytes = RequestUtils.serialize(header, headerVersion, message, version);
        out.printf("%s\t%s\t%d\t%d\t%s\t%s\t%s\n", api.name, request ? "request" : "response", version, headerVersion, variant, json,
            HexFormat.of().formatHex(bytes.array(), bytes.position(), bytes.limit()));
    }

    /** Gives every field of `object` a value, as far as `root` can still be written at this version. */
    static void fill(ApiMessage root, Object object, short version, boolean nulls, int[] counter) throws Exception {
        for (Field field : object.getClass().getDeclaredFields()) {
            if (Modifier.isStatic(field.getModifiers()) || Set.of("_unknownTaggedFields", "next", "prev").contains(field.getName()))
                continue;
            field.setAccessible(true);
            Object before = field.get(object);
            counter[0]++;
            if (Collection.class.isAssignableFrom(field.getType())) {
                fillList(root, object, field, version, nulls, counter);
            } else if (before instanceof Message) {
                fill(root, before, version, nulls, counter);
            } else {
                field.set(object, value(field.getType(), counter[0]));
                if (!writable(root, version))
                    field.set(object, before);
            }
            before = field.get(object);
            if (nulls && !field.getType().isPrimitive()) {
                ByteBuffer with = written(root, version);
                field.set(object, null);
                if (!writable(root, version) || written(root, version).equals(with))
                    field.set(object, before);
            }
        }
    }

    @SuppressWarnings("unchecked")
    static void fillList(ApiMessage root, Object object, Field field, short version, boolean nulls, int[] counter) throws Exception {
        Collection<Object> before = (Collection<Object>) field.get(object);
        Class<?> element = field.getGenericType() instanceof ParameterizedType
            ? (Class<?>) ((ParameterizedType) field.getGenericType()).getActualTypeArguments()[0]
            : (Class<?>) ((ParameterizedType) field.getType().getGenericSuperclass()).getActualTypeArguments()[0];
        Collection<Object> list = field.getType() == List.class ? new ArrayList<>() : (Collection<Object>) field.getType().getConstructor().newInstance();
        field.set(object, list);
        for (int i = 0; i < 2; i++) {
            counter[0]++;
            boolean message = Message.class.isAssignableFrom(element);
            Object item = message ? element.getConstructor().newInstance() : value(element, counter[0]);
            list.add(item); // the hash of a hashed collection goes stale; its order does not, and only that is written
            if (!writable(root, version)) {
                field.set(object, before);
                return;
            }
            if (message)
                fill(root, item, version, nulls && i == 0, counter);
        }
    }

    static ByteBuffer written(ApiMessage root, short version) {
        return RequestUtils.serialize(new ResponseHeaderData(), (short) 0, root, version);
    }

    static boolean writable(ApiMessage root, short version) throws Exception {
        try {
            written(root, version);
            json(root, version);
            return true;
        } catch (UnsupportedVersionException | NullPointerException e) {
            return false;
        }
    }

    static Object json(ApiMessage message, short version) throws Exception {
        try {
            return Class.forName(message.getClass().getName() + "JsonConverter")
                .getMethod("write", message.getClass(), short.class).invoke(null, message, version);
        } catch (InvocationTargetException e) {
            throw (Exception) e.getCause();
        }
    }

    static Object value(Class<?> type, int n) {
        if (type == boolean.class) return true;
        if (type == byte.class || type == Byte.class) return (byte) (n % 100);
        if (type == short.class || type == Short.class) return (short) (300 + n);
        if (type == int.class || type == Integer.class) return 70_000 + n;
        if (type == long.class || type == Long.class) return 5_000_000_000L + n;
        if (type == String.class) return "text-" + n;
        if (type == Uuid.class) return new Uuid(1000 + n, 2000 + n);
        if (type == byte[].class) return new byte[]{(byte) n, 0, -1};
        if (BaseRecords.class.isAssignableFrom(type)) {
            MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(64), Compression.NONE, TimestampType.CREATE_TIME, 0);
            builder.append(1700000000000L, new byte[]{(byte) n}, new byte[]{1, 2, 3});
            return builder.build();
        }
        throw new IllegalArgumentException("no value for " + type);
    }

    // Serializers.

    /** Lines `serializer TAB input TAB bytes`. Numbers are decimal, floats also as their bits, text as UTF-8 bytes. */
    static void serializers(PrintStream out) {
        serialize(out, "ByteArray", new ByteArraySerializer(), Oracle::word, null, new byte[0], new byte[]{0, -1, 127, -128});
        serialize(out, "Bytes", new BytesSerializer(), b -> b == null ? "null" : word(b.get()), null, Bytes.wrap(new byte[0]), Bytes.wrap(new byte[]{1, -1}));
        ByteBuffer part = ByteBuffer.wrap(new byte[]{1, 2, 3, 4, 5});
        serialize(out, "ByteBuffer", new ByteBufferSerializer(), b -> b == null ? "null" : word(b.array()), null, ByteBuffer.allocate(0), part);
        serialize(out, "Boolean", new BooleanSerializer(), String::valueOf, null, true, false);
        serialize(out, "Short", new ShortSerializer(), String::valueOf, null, (short) 0, (short) -1, (short) 258, Short.MIN_VALUE, Short.MAX_VALUE);
        serialize(out, "Integer", new IntegerSerializer(), String::valueOf, null, 0, -1, 16909060, Integer.MIN_VALUE, Integer.MAX_VALUE);
        serialize(out, "Long", new LongSerializer(), String::valueOf, null, 0L, -1L, 72623859790382856L, Long.MIN_VALUE, Long.MAX_VALUE);
        serialize(out, "Float", new FloatSerializer(), f -> f == null ? "null" : String.format("%08x", Float.floatToRawIntBits(f)), null, 0f, -0f, 1.5f,
            Float.MIN_VALUE, Float.MAX_VALUE, Float.POSITIVE_INFINITY, Float.NaN, Float.intBitsToFloat(0xffc00001));
        serialize(out, "Double", new DoubleSerializer(), d -> d == null ? "null" : String.format("%016x", Double.doubleToRawLongBits(d)), null, 0d, -0d, Math.PI,
            Double.MIN_VALUE, Double.MAX_VALUE, Double.NEGATIVE_INFINITY, Double.NaN);
        serialize(out, "UUID", new UUIDSerializer(), String::valueOf, null, new UUID(0, 0), new UUID(0x0123456789abcdefL, 0xfedcba9876543210L), new UUID(-1, -1));
        serialize(out, "Void", new VoidSerializer(), String::valueOf, (Void) null);
        String[] texts = {null, "", "Message_1", "größe", "鍵", "🔑 key", "tab\tand\nline", "\u0000", "x".repeat(300)};
        for (String encoding : List.of("UTF-8", "UTF-16", "UTF-16BE", "UTF-16LE", "ISO-8859-1", "US-ASCII")) {
            StringSerializer serializer = new StringSerializer();
            serializer.configure(Map.of("serializer.encoding", encoding), false);
            serialize(out, "String " + encoding, serializer, t -> t == null ? "null" : text(t), texts);
        }
        serialize(out, "List Integer", new ListSerializer<>(new IntegerSerializer()), String::valueOf,
            null, List.of(), List.of(1, -2, 3), Arrays.asList(1, null, 3), Arrays.asList((Integer) null));
        serialize(out, "List String", new ListSerializer<>(new StringSerializer()), String::valueOf,
            null, List.of(), List.of("a", "", "ccc"), Arrays.asList("a", null, "b", null));
    }

    @SafeVarargs
    static <T> void serialize(PrintStream out, String name, Serializer<T> serializer, java.util.function.Function<T, String> input, T... values) {
        for (T value : values)
            out.print(name + "\t" + input.apply(value) + "\t" + word(serializer.serialize("topic", value)) + "\n");
    }

    // Records of a live cluster, as lines `TOPIC PARTITION OFFSET TYPE TIMESTAMP KEY VALUE HEADERS`, TYPE C(reate) or L(og append).

    static void read(String bootstrap, String[] topics) {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "enable.auto.commit", false, "isolation.level", "read_committed",
            "max.poll.records", 50_000, "fetch.max.bytes", 16 << 20, "max.partition.fetch.bytes", 8 << 20, "check.crcs", true);
        PrintStream out = new PrintStream(new BufferedOutputStream(System.out, 1 << 20), false);
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> partitions = Arrays.stream(topics).flatMap(topic -> consumer.partitionsFor(topic).stream())
                .map(p -> new TopicPartition(p.topic(), p.partition())).collect(Collectors.toList());
            consumer.assign(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            consumer.seekToBeginning(partitions);
            StringBuilder line = new StringBuilder();
            while (partitions.stream().anyMatch(p -> consumer.position(p) < ends.get(p)))
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
                    line.setLength(0);
                    line.append(record.topic()).append(' ').append(record.partition()).append(' ').append(record.offset()).append(' ')
                        .append(record.timestampType() == TimestampType.CREATE_TIME ? 'C' : 'L').append(' ').append(record.timestamp())
                        .append(' ').append(word(record.key())).append(' ').append(word(record.value())).append(' ');
                    for (Header header : record.headers())
                        line.append(text(header.key())).append(';').append(word(header.value())).append(',');
                    out.append(line.append('\n'));
                }
        }
        out.flush();
    }

    /** Reads lines `PARTITION TIMESTAMP KEY VALUE HEADERS` (`-` where the producer shall choose) and sends them in order. */
    static void send(String bootstrap, String topic, String[] settings) throws Exception {
        Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", bootstrap));
        for (String setting : settings)
            config.put(setting.split("=", 2)[0], setting.split("=", 2)[1]);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        Future<?> last = null;
        int count = 0;
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                String[] fields = line.split(" ", -1);
                last = producer.send(new ProducerRecord<>(topic, fields[0].equals("-") ? null : Integer.valueOf(fields[0]),
                    fields[1].equals("-") ? null : Long.valueOf(fields[1]), bytes(fields[2]), bytes(fields[3]),
                    Arrays.asList(headers(fields[4]))), (metadata, e) -> {
                        if (e != null) {
                            System.err.println("send failed: " + e);
                            System.exit(1);
                        }
                    });
                count++;
            }
        }
        if (last != null)
            last.get();
        System.out.println("sent " + count);
    }

    /**
     * Sends transactions 0 to 29 of five records each, with an offset for the topic itself; every third is aborted. Then a
     * second producer with the same id fences the first. Prints what a read_committed consumer finds.
     */
    static void transact(String bootstrap, String topic, String id) throws Exception {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "transactional.id", id, "max.block.ms", 20_000);
        Map<String, Object> reader = Map.of("bootstrap.servers", bootstrap, "group.id", id, "enable.auto.commit", false,
            "isolation.level", "read_committed");
        TopicPartition partition = new TopicPartition(topic, 0);
        try (KafkaProducer<String, String> first = new KafkaProducer<>(config, new StringSerializer(), new StringSerializer());
             KafkaProducer<String, String> second = new KafkaProducer<>(config, new StringSerializer(), new StringSerializer());
             KafkaConsumer<String, String> consumer = new KafkaConsumer<>(reader, new StringDeserializer(), new StringDeserializer())) {
            consumer.assign(List.of(partition));
            first.initTransactions();
            for (int n = 0; n < 30; n++) {
                first.beginTransaction();
                for (int i = 0; i < 5; i++)
                    first.send(new ProducerRecord<>(topic, n + "-" + i));
                first.sendOffsetsToTransaction(Map.of(partition, new OffsetAndMetadata(n)), consumer.groupMetadata());
                if (n % 3 == 2) {
                    first.flush();
                    first.abortTransaction();
                } else {
                    first.commitTransaction();
                }
            }
            first.beginTransaction();
            first.send(new ProducerRecord<>(topic, "zombie")).get();
            second.initTransactions();
            try {
                first.commitTransaction();
                System.out.println("not fenced");
            } catch (Exception e) {
                System.out.println("fenced " + e.getClass().getSimpleName());
            }
            second.beginTransaction();
            second.send(new ProducerRecord<>(topic, "last"));
            second.commitTransaction();
            long end = consumer.endOffsets(List.of(partition)).get(partition);
            consumer.seekToBeginning(List.of(partition));
            StringBuilder values = new StringBuilder();
            while (consumer.position(partition) < end)
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofSeconds(1)))
                    values.append(record.value()).append(' ');
            System.out.println("offset " + consumer.committed(Set.of(partition)).get(partition).offset());
            System.out.println("committed " + values);
        }
    }

    interface Call {
        void run() throws Exception;
    }

    /** The name of the exception that a call ends with, that of the cause for a future, or `ok`. */
    static String outcome(Call call) {
        try {
            call.run();
            return "ok";
        } catch (java.util.concurrent.ExecutionException e) {
            return e.getCause().getClass().getSimpleName();
        } catch (Exception e) {
            return e.getClass().getSimpleName();
        }
    }

    /**
     * Leaves transactions open until the broker aborts them, then commits the first; for the second sends one more record
     * to the same partition, aborts, and begins another one. Prints how each call ends.
     */
    static void expire(String bootstrap, String topic, String id) throws Exception {
        try (KafkaProducer<String, String> late = expired(bootstrap, topic, id + "-commit")) {
            System.out.println("commit " + outcome(late::commitTransaction));
        }
        try (KafkaProducer<String, String> late = expired(bootstrap, topic, id + "-send")) {
            System.out.println("send " + outcome(() -> late.send(new ProducerRecord<>(topic, 0, "key", "late")).get()));
            System.out.println("abort " + outcome(late::abortTransaction));
            System.out.println("next " + outcome(() -> {
                late.beginTransaction();
                late.send(new ProducerRecord<>(topic, 0, "key", "next"));
                late.commitTransaction();
            }));
        }
    }

    /** A producer whose open transaction the broker has aborted: its marker takes an offset between two probes. */
    static KafkaProducer<String, String> expired(String bootstrap, String topic, String id) throws Exception {
        Map<String, Object> plain = Map.of("bootstrap.servers", bootstrap, "linger.ms", 50);
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "transactional.id", id, "transaction.timeout.ms", 1000,
            "max.block.ms", 20_000);
        KafkaProducer<String, String> late = new KafkaProducer<>(config, new StringSerializer(), new StringSerializer());
        late.initTransactions();
        late.beginTransaction();
        long last = late.send(new ProducerRecord<>(topic, 0, "key", "expired")).get().offset();
        try (KafkaProducer<String, String> probe = new KafkaProducer<>(plain, new StringSerializer(), new StringSerializer())) {
            long before;
            do {
                before = last;
                last = probe.send(new ProducerRecord<>(topic, 0, "key", "probe")).get().offset();
            } while (last == before + 1);
        }
        return late;
    }
}
