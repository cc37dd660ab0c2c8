"""Finds and builds the program of each producer, or says in one line why it is left out."""
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILT = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target") / "compare"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "ottla" / "compare"
# The newest librdkafka that is served ready to use comes inside Confluent's package for Python, which follows its versions.
CONFLUENT_WHEEL = "2.16.1"
KAFKA = "4.3.1"
CRATES = ("confluent-kafka", "krafka", "rskafka")
CLIENTS = ("ottla", "skeleton", "java", "librdkafka", "franz-go", *CRATES)


class Absent(Exception):
    """Why a producer cannot take part."""


def build(wanted, as_they_are):
    """`{client: command}` of what can be built, and a line for each that cannot."""
    BUILT.mkdir(parents=True, exist_ok=True)
    commands, absent = {}, []
    if not as_they_are:
        rust()
    for client in wanted:
        try:
            commands[client] = BUILDERS[client](client, as_they_are)
        except Absent as why:
            absent.append(f"{client}: left out, {why}")
    return commands, absent


def broker(partitions, brokers):
    return [str(BUILT / "release" / "discard-broker"), str(partitions), str(brokers)]


def rust():
    done = cargo([])
    if done.returncode != 0:
        sys.exit("compare: the programs in Rust do not build")


def cargo(more, **how):
    manifest = ["--manifest-path", str(HERE / "Cargo.toml"), "--target-dir", str(BUILT)]
    return subprocess.run(["cargo", "build", "-q", "--release", "--locked", *manifest, *more], **how)


def plain(client, _):
    return [str(BUILT / "release" / client)]


def crate(client, as_it_is):
    """A build of its own, so that the features of its dependencies stay its own."""
    manifest = HERE / "clients" / client / "Cargo.toml"
    target = BUILT / client
    program = target / "release" / client
    if as_it_is:
        if program.exists():
            return [str(program)]
        raise Absent("it is not built")
    if not program.exists():
        print(f"compare: building {client} (minutes, once)", file=sys.stderr)
    done = subprocess.run(["cargo", "build", "-q", "--release", "--locked", "--manifest-path", str(manifest),
                           "--target-dir", str(target)], capture_output=True, text=True)
    if done.returncode != 0:
        reasons = [line for line in done.stderr.splitlines() if line.startswith("error")]
        raise Absent(f"its crate does not build: {(reasons or ['no reason given'])[0]}")
    return [str(program)]


def librdkafka(client, as_it_is):
    return [*plain(client, as_it_is), f"library={librdkafka_library()}"]


def librdkafka_library():
    if os.environ.get("LIBRDKAFKA"):
        return os.environ["LIBRDKAFKA"]
    folder = CACHE / f"librdkafka-{CONFLUENT_WHEEL}"
    if not (folder / "complete").exists():
        print(f"compare: fetching librdkafka {CONFLUENT_WHEEL} (once)", file=sys.stderr)
        done = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--only-binary", ":all:", "--upgrade",
                               "--target", str(folder), f"confluent-kafka=={CONFLUENT_WHEEL}"], capture_output=True, text=True)
        if done.returncode != 0:
            raise Absent(f"its library cannot be had (LIBRDKAFKA=PATH names another): {last_line(done.stderr)}")
        (folder / "complete").touch()
    libraries = sorted(folder.glob("confluent_kafka.libs/librdkafka*.so*"))
    if not libraries:
        raise Absent("its library is not in Confluent's package for this machine (LIBRDKAFKA=PATH names another)")
    return libraries[0]


def java(*_):
    for tool in ("java", "javac"):
        if not shutil.which(tool):
            raise Absent(f"no `{tool}` on the path")
    got = subprocess.run([str(ROOT / "tests" / "kafka" / "cluster"), "classpath", "--version", KAFKA],
                         capture_output=True, text=True)
    if got.returncode != 0:
        raise Absent(last_line(got.stderr))
    jars, source = got.stdout.strip(), HERE / "clients" / "Compare.java"
    classes = BUILT / "java" / hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    if not (classes / "Compare.class").exists():
        done = subprocess.run(["javac", "-nowarn", "-proc:none", "-d", str(classes), "-cp", jars, str(source)],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise Absent(f"Compare.java does not compile: {last_line(done.stderr)}")
    return ["java", "-Xms1g", "-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{classes}:{jars}", "Compare"]


def franz_go(*_):
    if not shutil.which("go"):
        raise Absent("no `go` on the path")
    program = BUILT / "franz-go"
    done = subprocess.run(["go", "build", "-o", str(program), "."], cwd=HERE / "clients" / "franz-go",
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise Absent(f"it does not build: {last_line(done.stderr)}")
    return [str(program)]


def last_line(text):
    return (text.strip().splitlines() or ["no reason given"])[-1]


BUILDERS = {"ottla": plain, "skeleton": plain, "codec-floor": plain, "librdkafka": librdkafka, "java": java, "franz-go": franz_go,
            **{name: crate for name in CRATES}}
