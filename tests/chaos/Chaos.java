import java.io.FileOutputStream;
import java.io.IOException;
import java.io.Writer;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import java.util.zip.CRC32;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.serialization.*;

/**
 * The Java half of tests/chaos: a producer with the journal of client.rs, the reader, and a few questions to the cluster.
 *
 *   produce key=value ..            as client.rs
 *   read BOOTSTRAP ISOLATION FOLDER TOPIC ..    every record (topic partition offset timestamp value) into a file for each
 *                                   partition; prints where each ends
 *   committed BOOTSTRAP GROUP ..    the offset that each group has for partition 0 of `input`
 *   move BOOTSTRAP TOPIC SEED       another leader for each partition of the topic
 *   coordinator BOOTSTRAP TRANSACTIONAL_ID   the node that coordinates
 *   upgrade BOOTSTRAP FEATURE LEVEL     of the running cluster
 */
public final class Chaos {
    public static void main(String[] words) throws Exception {
        List<String> rest = Arrays.asList(words).subList(1, words.length);
        switch (words[0]) {
            case "produce" -> produce(rest);
            case "read" -> read(rest.get(0), rest.get(1), Path.of(rest.get(2)), rest.subList(3, rest.size()));
            case "committed" -> committed(rest.get(0), rest.subList(1, rest.size()));
            case "move" -> move(rest.get(0), rest.get(1), Long.parseLong(rest.get(2)));
            case "coordinator" -> coordinator(rest.get(0), rest.get(1));
            case "upgrade" -> upgrade(rest.get(0), rest.get(1), Short.parseShort(rest.get(2)));
            default -> throw new IllegalArgumentException(words[0]);
        }
    }

    // The journal: one write for each line, so that what the application saw survives its own kill -9.

    record Journal(FileOutputStream file) {
        synchronized void note(Object... words) {
            String line = Arrays.stream(words).map(String::valueOf).collect(Collectors.joining(" ", "", "\n"));
            try {
                file.write(line.getBytes(StandardCharsets.UTF_8));
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
        }
    }

    static long now() {
        return System.currentTimeMillis();
    }

    // The producer.

    record Workload(Map<String, String> words, Properties properties, Journal journal, AtomicBoolean stop) {
        String get(String name, String otherwise) {
            return words.getOrDefault(name, otherwise);
        }

        int number(String name, int otherwise) {
            return Integer.parseInt(get(name, String.valueOf(otherwise)));
        }
    }

    static void produce(List<String> pairs) throws Exception {
        Map<String, String> words = new HashMap<>();
        Properties properties = new Properties();
        for (String pair : pairs) {
            String[] both = pair.split("=", 2);
            if (both[0].startsWith("p:")) properties.put(both[0].substring(2), both[1]);
            else words.put(both[0], both[1]);
        }
        properties.put("bootstrap.servers", words.get("bootstrap"));
        Workload work = new Workload(words, properties, new Journal(new FileOutputStream(words.get("journal"), true)),
                new AtomicBoolean());
        boolean transactional = work.get("mode", "plain").equals("transactional");
        work.journal.note("run", words.get("run"), words.get("producer"), work.get("mode", "plain"), now());
        Thread watcher = new Thread(() -> {
            try {
                while (System.in.read() >= 0) { }
            } catch (IOException gone) {
                // As good as its end.
            }
            work.stop.set(true);
        });
        watcher.setDaemon(true);
        watcher.start();
        Producer<byte[], byte[]> shared = transactional ? null : open(properties);
        List<Thread> threads = new ArrayList<>();
        for (int thread = 0; thread < work.number("threads", 2); thread++) {
            int number = thread;
            threads.add(new Thread(() -> {
                if (transactional) new Transactions(work, number).run();
                else plain(work, number, shared);
            }));
        }
        for (Thread thread : threads) thread.start();
        for (Thread thread : threads) thread.join();
        if (shared != null) shared.close();
        work.journal.note("end", now());
    }

    static Producer<byte[], byte[]> open(Properties properties) {
        return new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
    }

    /** Chooses where records go, numbers them, and notes what becomes of each. */
    static final class Records {
        final Workload work;
        final int thread;
        final Random random;
        final String[] topics;
        final Map<String, Long> counters = new HashMap<>();

        Records(Workload work, int thread) {
            this.work = work;
            this.thread = thread;
            this.random = new Random(work.number("seed", 1) * 1000L + thread);
            this.topics = work.get("topics", "chaos").split(",");
        }

        void send(Producer<byte[], byte[]> producer, long transaction) {
            String topic = topics[random.nextInt(topics.length)];
            int partition = random.nextInt(work.number("partitions", 1));
            long counter = counters.merge(topic + partition, 1L, Long::sum);
            long timestamp = now();
            work.journal.note("s", thread, topic, partition, counter, transaction, timestamp, timestamp);
            byte[] value = value(topic, partition, counter, transaction);
            byte[] key = String.valueOf(counter).getBytes(StandardCharsets.UTF_8);
            ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(topic, partition, timestamp, key, value);
            try {
                producer.send(record, (metadata, error) -> {
                    if (error == null) {
                        work.journal.note("a", thread, topic, partition, counter, metadata.offset(), metadata.timestamp(), now());
                    } else {
                        work.journal.note("f", thread, topic, partition, counter, "-", now(), name(error));
                    }
                });
            } catch (RuntimeException error) {
                work.journal.note("f", thread, topic, partition, counter, "N", now(), name(error));
                throw error;
            }
        }

        byte[] value(String topic, int partition, long counter, long transaction) {
            StringBuilder text = new StringBuilder();
            text.append(work.words.get("run")).append('|').append(work.words.get("producer")).append('|').append(thread);
            text.append('|').append(topic).append('|').append(partition).append('|').append(counter);
            text.append('|').append(transaction).append('|');
            while (text.length() < work.number("size", 100)) text.append((char) ('a' + counter % 26));
            CRC32 sum = new CRC32();
            sum.update(text.toString().getBytes(StandardCharsets.UTF_8));
            return text.append('|').append(String.format("%08x", sum.getValue())).toString().getBytes(StandardCharsets.UTF_8);
        }

        void pace(long began, long sent) {
            long due = began + sent * 1000 / work.number("rate", 500);
            long left = due - now();
            if (left > 0) pause(left);
        }
    }

    static void plain(Workload work, int thread, Producer<byte[], byte[]> producer) {
        Records records = new Records(work, thread);
        long began = now();
        for (long sent = 0; !work.stop.get() && sent < work.number("records", Integer.MAX_VALUE); sent++) {
            try {
                records.send(producer, 0);
            } catch (RuntimeException refused) {
                pause(100);
            }
            records.pace(began, sent);
        }
        producer.flush();
    }

    static void pause(long ms) {
        try {
            Thread.sleep(ms);
        } catch (InterruptedException error) {
            throw new IllegalStateException(error);
        }
    }

    static String name(Exception error) {
        return error.getClass().getSimpleName() + ":" + String.valueOf(error.getMessage()).replaceAll("\\s+", "_");
    }

    /** One transaction after the other; one of five is aborted on purpose. */
    static final class Transactions {
        final Workload work;
        final int thread;
        final Records records;
        final String id;
        Producer<byte[], byte[]> producer;
        long transaction;

        Transactions(Workload work, int thread) {
            this.work = work;
            this.thread = thread;
            this.records = new Records(work, thread);
            this.id = work.get("id", work.words.get("producer")) + "-" + thread;
            this.transaction = Long.parseLong(work.get("first", "0"));
        }

        void run() {
            long limit = transaction + work.number("transactions", Integer.MAX_VALUE);
            while (!work.stop.get() && transaction < limit) {
                if (producer == null && !begin()) continue;
                transaction++;
                try {
                    one();
                } catch (KafkaException error) {
                    note("e", name(error));
                    recover(error);
                }
            }
            if (producer != null) producer.close(Duration.ofSeconds(30));
        }

        boolean begin() {
            Properties own = new Properties();
            own.putAll(work.properties);
            own.put("transactional.id", id);
            producer = open(own);
            try {
                producer.initTransactions();
                note("i");
                return true;
            } catch (KafkaException error) {
                note("e", name(error));
                giveUp();
                pause(200);
                return false;
            }
        }

        void one() {
            producer.beginTransaction();
            note("b");
            int count = 1 + records.random.nextInt(work.number("batch", 10));
            for (int n = 0; n < count; n++) records.send(producer, transaction);
            String group = id;
            producer.sendOffsetsToTransaction(Map.of(new TopicPartition("input", 0), new OffsetAndMetadata(transaction)),
                    new ConsumerGroupMetadata(group));
            if (records.random.nextInt(5) == 0) {
                note("r");
                producer.abortTransaction();
                note("x");
                return;
            }
            note("c");
            for (int attempt = 0; ; attempt++) {
                try {
                    producer.commitTransaction();
                    break;
                } catch (TimeoutException late) {
                    note("e", name(late));
                    if (attempt >= 5) throw late;
                }
            }
            note("k");
        }

        void recover(KafkaException error) {
            boolean fatal = error instanceof ProducerFencedException || error instanceof InvalidProducerEpochException
                    || error instanceof AuthorizationException || error instanceof UnsupportedVersionException
                    || error instanceof OutOfOrderSequenceException || error instanceof TimeoutException;
            if (fatal) {
                giveUp();
                return;
            }
            try {
                note("r");
                producer.abortTransaction();
                note("x");
            } catch (KafkaException again) {
                note("e", name(again));
                giveUp();
            }
        }

        void giveUp() {
            producer.close(Duration.ZERO);
            producer = null;
            note("g");
        }

        void note(String kind, Object... more) {
            List<Object> words = new ArrayList<>(List.of(kind, thread, transaction, now()));
            words.addAll(Arrays.asList(more));
            work.journal.note(words.toArray());
        }
    }

    // The reader.

    static Map<String, Object> consuming(String bootstrap, String isolation) {
        return Map.of("bootstrap.servers", bootstrap, "isolation.level", isolation, "enable.auto.commit", false,
                "auto.offset.reset", "earliest", "fetch.max.wait.ms", 100);
    }

    static void read(String bootstrap, String isolation, Path folder, List<String> topics) throws IOException {
        Map<TopicPartition, Writer> files = new HashMap<>();
        try (Consumer<byte[], byte[]> consumer = new KafkaConsumer<>(consuming(bootstrap, isolation),
                new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> all = topics.stream().flatMap(topic -> consumer.partitionsFor(topic).stream())
                    .map(info -> new TopicPartition(info.topic(), info.partition())).toList();
            for (TopicPartition each : all) files.put(each, Files.newBufferedWriter(folder.resolve(each.toString())));
            // With read_committed this is the last stable offset.
            Map<TopicPartition, Long> ends = consumer.endOffsets(all);
            consumer.assign(all);
            consumer.seekToBeginning(all);
            while (ends.entrySet().stream().anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                    TopicPartition at = new TopicPartition(record.topic(), record.partition());
                    if (record.offset() >= ends.get(at)) continue;
                    files.get(at).write(record.topic() + ' ' + record.partition() + ' ' + record.offset() + ' '
                            + record.timestamp() + ' ' + new String(record.value(), StandardCharsets.UTF_8) + '\n');
                }
            }
            ends.forEach((at, end) -> System.out.println(at.topic() + ' ' + at.partition() + ' ' + end));
        } finally {
            for (Writer file : files.values()) file.close();
        }
    }

    static void committed(String bootstrap, List<String> groups) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            for (String group : groups) {
                OffsetAndMetadata offset = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get()
                        .get(new TopicPartition("input", 0));
                System.out.println(group + " " + (offset == null ? -1 : offset.offset()));
            }
        }
    }

    static void move(String bootstrap, String topic, long seed) throws Exception {
        Random random = new Random(seed);
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap, "request.timeout.ms", 10000))) {
            Map<TopicPartition, Optional<NewPartitionReassignment>> moves = new HashMap<>();
            for (TopicPartitionInfo info : admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions()) {
                List<Integer> replicas = new ArrayList<>(info.replicas().stream().map(Node::id).toList());
                Collections.rotate(replicas, 1 + random.nextInt(replicas.size() - 1));
                moves.put(new TopicPartition(topic, info.partition()), Optional.of(new NewPartitionReassignment(replicas)));
            }
            admin.alterPartitionReassignments(moves).all().get();
            admin.electLeaders(ElectionType.PREFERRED, moves.keySet()).partitions().get();
        }
    }

    static void coordinator(String bootstrap, String id) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap, "request.timeout.ms", 10000))) {
            System.out.println(admin.describeTransactions(List.of(id)).description(id).get().coordinatorId());
        }
    }

    static void upgrade(String bootstrap, String feature, short level) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            FeatureUpdate update = new FeatureUpdate(level, FeatureUpdate.UpgradeType.UPGRADE);
            admin.updateFeatures(Map.of(feature, update), new UpdateFeaturesOptions()).all().get();
        }
    }
}
