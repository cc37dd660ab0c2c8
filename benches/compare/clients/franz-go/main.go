// The client program for franz-go: see ../../harness/src/lib.rs for the conversation with the runner.
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const burst = 2_000

type client struct {
	kafka    *kgo.Client
	topic    string
	workload string
	records  int
	threads  int
	values   [][]byte
	calls    []int64
	failed   atomic.Int64
}

func main() {
	settings := map[string]string{"topic": "bench", "records": "1000000", "threads": "1"}
	for _, word := range os.Args[1:] {
		name, value, _ := strings.Cut(word, "=")
		settings[name] = value
	}
	c := &client{topic: settings["topic"], workload: settings["workload"]}
	c.records, c.threads = number(settings["records"]), number(settings["threads"])
	text, err := os.ReadFile(settings["values"])
	check(err)
	for line := range strings.Lines(string(text)) {
		c.values = append(c.values, []byte(strings.TrimSuffix(line, "\n")))
	}
	c.kafka, err = kgo.NewClient(options(settings)...)
	check(err)
	check(c.kafka.ProduceSync(context.Background(), &kgo.Record{Topic: c.topic, Value: []byte("first")}).FirstErr())
	fmt.Println("ready", version())
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if lines.Text() == "run" {
			start := time.Now()
			c.run()
			fmt.Println("done", time.Since(start).Nanoseconds())
		} else {
			fmt.Println(c.report())
		}
	}
	c.kafka.Close()
}

func options(settings map[string]string) []kgo.Opt {
	opts := []kgo.Opt{kgo.SeedBrokers(settings["bootstrap"]), kgo.RequiredAcks(kgo.AllISRAcks())}
	if linger, ok := settings["linger"]; ok {
		opts = append(opts, kgo.ProducerLinger(time.Duration(number(linger))*time.Millisecond))
	}
	if batch, ok := settings["batch"]; ok {
		opts = append(opts, kgo.ProducerBatchMaxBytes(int32(number(batch))))
	}
	if settings["idempotence"] == "false" {
		opts = append(opts, kgo.DisableIdempotentWrite())
	}
	codecs := map[string]kgo.CompressionCodec{
		"gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	codec, ok := codecs[settings["codec"]]
	if !ok {
		// Its own default is snappy, which the others would have to be given too.
		codec = kgo.NoCompression()
	}
	opts = append(opts, kgo.ProducerBatchCompression(codec))
	if memory, ok := settings["memory"]; ok {
		return append(opts, kgo.MaxBufferedBytes(number(memory)), kgo.MaxBufferedRecords(10_000_000))
	}
	// Its default of 10,000 records stops a sender that the others let run: about as many as 32 MiB hold.
	return append(opts, kgo.MaxBufferedRecords(300_000))
}

func (c *client) run() {
	each := c.records / c.threads
	c.calls = nil
	if c.workload == "cost" || c.workload == "get" {
		c.calls = make([]int64, each*c.threads)
	}
	if c.threads == 1 {
		c.oneThread(0, each)
	} else {
		var all sync.WaitGroup
		for number := range c.threads {
			all.Go(func() { c.oneThread(number, each) })
		}
		all.Wait()
	}
	check(c.kafka.Flush(context.Background()))
	if c.failed.Load() > 0 {
		panic("deliveries failed")
	}
}

func (c *client) oneThread(number, count int) {
	ctx := context.Background()
	promise := func(_ *kgo.Record, err error) {
		if err != nil {
			c.failed.Add(1)
		}
	}
	random := uint64(0x9e3779b97f4a7c15) ^ uint64(number+1)
	for i := range count {
		record := &kgo.Record{Topic: c.topic, Value: c.values[i%len(c.values)]}
		switch c.workload {
		case "send":
			c.kafka.Produce(ctx, record, promise)
		case "keyed":
			record.Key = make([]byte, 0, 16)
			for range 2 {
				random ^= random << 13
				random ^= random >> 7
				random ^= random << 17
				record.Key = binary.BigEndian.AppendUint64(record.Key, random)
			}
			c.kafka.Produce(ctx, record, promise)
		case "cost":
			start := time.Now()
			c.kafka.Produce(ctx, record, promise)
			c.calls[i] = time.Since(start).Nanoseconds()
			if i%burst == burst-1 {
				check(c.kafka.Flush(ctx))
			}
		case "get":
			start := time.Now()
			check(c.kafka.ProduceSync(ctx, record).FirstErr())
			c.calls[number*count+i] = time.Since(start).Nanoseconds()
		default:
			panic(c.workload)
		}
	}
}

func (c *client) report() string {
	report := fmt.Sprintf(`{"records":%d`, c.records/c.threads*c.threads)
	if len(c.calls) > 0 {
		slices.Sort(c.calls)
		last := float64(len(c.calls) - 1)
		for _, quantile := range []struct {
			name  string
			share float64
		}{{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}, {"max", 1}} {
			report += fmt.Sprintf(`,"%s":%d`, quantile.name, c.calls[int(last*quantile.share)])
		}
		var sum int64
		for _, call := range c.calls {
			sum += call
		}
		report += fmt.Sprintf(`,"mean":%d`, sum/int64(len(c.calls)))
	}
	return report + "}"
}

func version() string {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == "github.com/twmb/franz-go" {
			return strings.TrimPrefix(module.Version, "v")
		}
	}
	return "unknown"
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
