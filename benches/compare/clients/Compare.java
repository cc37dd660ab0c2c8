// The client program for the Java producer: see ../harness/src/lib.rs for the conversation with the runner.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.utils.AppInfoParser;

final class Compare {
    private static final int BURST = 2_000;
    private static final String[][] KEYS = {
        {"linger", "linger.ms"}, {"batch", "batch.size"}, {"codec", "compression.type"},
        {"acks", "acks"}, {"idempotence", "enable.idempotence"}, {"memory", "buffer.memory"},
    };

    private final KafkaProducer<byte[], byte[]> producer;
    private final String topic;
    private final String workload;
    private final int records;
    private final int threads;
    private final byte[][] values;
    private long[] calls = {};

    public static void main(String[] arguments) throws Exception {
        Map<String, String> settings = new HashMap<>();
        for (String word : arguments) {
            settings.put(word.substring(0, word.indexOf('=')), word.substring(word.indexOf('=') + 1));
        }
        new Compare(settings).converse();
    }

    private Compare(Map<String, String> settings) throws Exception {
        topic = settings.getOrDefault("topic", "bench");
        workload = settings.get("workload");
        records = Integer.parseInt(settings.getOrDefault("records", "1000000"));
        threads = Integer.parseInt(settings.getOrDefault("threads", "1"));
        values = Files.readAllLines(Path.of(settings.get("values"))).stream().map(String::getBytes).toArray(byte[][]::new);
        Properties properties = new Properties();
        properties.put("bootstrap.servers", settings.get("bootstrap"));
        for (String[] key : KEYS) {
            if (settings.containsKey(key[0])) {
                properties.put(key[1], settings.get(key[0]));
            }
        }
        producer = new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
        producer.partitionsFor(topic);
    }

    private void converse() throws Exception {
        System.out.println("ready " + AppInfoParser.getVersion());
        BufferedReader runner = new BufferedReader(new InputStreamReader(System.in));
        for (String line = runner.readLine(); line != null; line = runner.readLine()) {
            if (line.equals("run")) {
                long start = System.nanoTime();
                run();
                System.out.println("done " + (System.nanoTime() - start));
            } else {
                System.out.println(report());
            }
        }
        producer.close();
    }

    private void run() throws Exception {
        boolean timed = workload.equals("get") || workload.equals("cost");
        int each = records / threads;
        calls = new long[timed ? each * threads : 0];
        if (threads == 1) {
            oneThread(0, each);
        } else {
            Thread[] all = new Thread[threads];
            for (int i = 0; i < threads; i++) {
                int number = i;
                all[i] = new Thread(() -> oneThread(number, each));
                all[i].start();
            }
            for (Thread thread : all) {
                thread.join();
            }
        }
        producer.flush();
    }

    private void oneThread(int number, int count) {
        int next = 0;
        long random = 0x9e3779b97f4a7c15L ^ (number + 1);
        try {
            for (int i = 0; i < count; i++) {
                byte[] value = values[next];
                next = next + 1 == values.length ? 0 : next + 1;
                switch (workload) {
                    case "send" -> producer.send(new ProducerRecord<>(topic, value));
                    case "keyed" -> {
                        byte[] key = new byte[16];
                        for (int half = 0; half < 16; half += 8) {
                            random ^= random << 13;
                            random ^= random >>> 7;
                            random ^= random << 17;
                            for (int b = 0; b < 8; b++) {
                                key[half + b] = (byte) (random >>> (56 - 8 * b));
                            }
                        }
                        producer.send(new ProducerRecord<>(topic, key, value));
                    }
                    case "cost" -> {
                        long start = System.nanoTime();
                        producer.send(new ProducerRecord<>(topic, value));
                        calls[i] = System.nanoTime() - start;
                        if (i % BURST == BURST - 1) {
                            producer.flush();
                        }
                    }
                    case "get" -> {
                        long start = System.nanoTime();
                        producer.send(new ProducerRecord<>(topic, value)).get();
                        calls[number * count + i] = System.nanoTime() - start;
                    }
                    default -> throw new IllegalArgumentException(workload);
                }
            }
        } catch (Exception e) {
            e.printStackTrace();
            System.exit(1);
        }
    }

    private String report() {
        StringBuilder report = new StringBuilder("{\"records\":" + records / threads * threads);
        if (calls.length > 0) {
            Arrays.sort(calls);
            String[] names = {"p50", "p90", "p99", "p999", "max"};
            double[] shares = {0.5, 0.9, 0.99, 0.999, 1.0};
            for (int i = 0; i < names.length; i++) {
                report.append(",\"" + names[i] + "\":" + calls[(int) ((calls.length - 1) * shares[i])]);
            }
            report.append(",\"mean\":" + Arrays.stream(calls).sum() / calls.length);
        }
        return report.append('}').toString();
    }
}
