//! The client program for librdkafka, through its C API: `rd_kafka_produce` with a copy, deliveries reported to a callback.
//!
//! The thread that sends also polls, every 128 records, which is librdkafka's fastest way. When several threads wait for
//! their records, one more thread polls for all. The library is `library=PATH` and opened when the program runs.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use compare::{Caller, Producer, Settings, converse};
use libloading::Library;
use parking_lot::{Condvar, Mutex};

fn main() {
    let settings = Settings::from_arguments();
    let api = Api::open(settings.text("library").expect("library=PATH"));
    // SAFETY: takes nothing, returns a static text.
    let version = unsafe { CStr::from_ptr((api.version_str)()) };
    let polls_apart = settings.text("workload") == Some("get") && settings.number("threads", 1) > 1;
    let rdkafka = Rdkafka::new(api, &settings, polls_apart);
    rdkafka.warm_up();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        if polls_apart {
            scope.spawn(|| {
                while !stop.load(Ordering::Acquire) {
                    rdkafka.poll(100);
                }
            });
        }
        converse(&settings, &version.to_string_lossy(), &rdkafka);
        stop.store(true, Ordering::Release);
    });
    assert_eq!(FAILED.load(Ordering::Acquire), 0, "deliveries failed");
}

struct Rdkafka {
    api: Api,
    client: *mut c_void,
    topic: *mut c_void,
    polls_apart: bool,
}

// SAFETY: librdkafka's handles may be used from any thread.
unsafe impl Sync for Rdkafka {}

impl Rdkafka {
    fn new(api: Api, settings: &Settings, polls_apart: bool) -> Self {
        let mut properties = vec![("bootstrap.servers", settings.bootstrap())];
        for (word, key) in [
            ("linger", "linger.ms"),
            ("batch", "batch.size"),
            ("codec", "compression.type"),
            ("acks", "acks"),
            ("idempotence", "enable.idempotence"),
        ] {
            properties.extend(settings.text(word).map(|value| (key, value)));
        }
        let kbytes = settings
            .text("memory")
            .map(|_| settings.number("memory", 0) >> 10);
        let kbytes = kbytes.map(|kbytes| kbytes.to_string());
        if let Some(kbytes) = &kbytes {
            properties.push(("queue.buffering.max.kbytes", kbytes));
            properties.push(("queue.buffering.max.messages", "10000000"));
        }
        let topic = CString::new(settings.topic()).expect("a name");
        let mut error = [0 as c_char; 512];
        // SAFETY: as librdkafka's manual says; `rd_kafka_new` takes over the configuration.
        unsafe {
            let conf = (api.conf_new)();
            for (key, value) in properties {
                let (key, value) = (c_text(key), c_text(value));
                let set = (api.conf_set)(
                    conf,
                    key.as_ptr(),
                    value.as_ptr(),
                    error.as_mut_ptr(),
                    error.len(),
                );
                assert_eq!(set, 0, "{:?}", CStr::from_ptr(error.as_ptr()));
            }
            (api.conf_set_dr_msg_cb)(conf, delivered);
            let client = (api.new)(PRODUCER, conf, error.as_mut_ptr(), error.len());
            assert!(!client.is_null(), "{:?}", CStr::from_ptr(error.as_ptr()));
            let topic = (api.topic_new)(client, topic.as_ptr(), null_mut());
            Self {
                api,
                client,
                topic,
                polls_apart,
            }
        }
    }

    /// The first record brings the metadata.
    fn warm_up(&self) {
        let mut caller = self.caller();
        caller.produce(None, b"first", null_mut());
        self.flush();
    }

    fn poll(&self, milliseconds: c_int) {
        // SAFETY: the client lives as long as `self`.
        unsafe { (self.api.poll)(self.client, milliseconds) };
    }
}

impl Producer for Rdkafka {
    type Caller<'a> = RdkafkaCaller<'a>;

    fn caller(&self) -> RdkafkaCaller<'_> {
        RdkafkaCaller {
            rdkafka: self,
            since_poll: 0,
            waiter: Arc::new(Waiter::default()),
        }
    }

    fn flush(&self) {
        // SAFETY: the client lives as long as `self`.
        let error = unsafe { (self.api.flush)(self.client, 170_000) };
        assert_eq!(error, 0, "not everything was delivered in time");
    }
}

struct RdkafkaCaller<'a> {
    rdkafka: &'a Rdkafka,
    since_poll: u32,
    waiter: Arc<Waiter>,
}

impl RdkafkaCaller<'_> {
    fn produce(&mut self, key: Option<&[u8]>, value: &[u8], opaque: *mut c_void) {
        let (key, key_size) =
            key.map_or((null_mut(), 0), |key| (key.as_ptr().cast_mut(), key.len()));
        loop {
            // SAFETY: the flag makes librdkafka copy the value, the key it always copies.
            let refused = unsafe {
                (self.rdkafka.api.produce)(
                    self.rdkafka.topic,
                    ANY_PARTITION,
                    COPY,
                    value.as_ptr().cast_mut().cast(),
                    value.len(),
                    key.cast(),
                    key_size,
                    opaque,
                )
            };
            if refused == 0 {
                return;
            }
            // The queue is full: its one reason here.
            self.rdkafka.poll(10);
        }
    }
}

impl Caller for RdkafkaCaller<'_> {
    fn send(&mut self, key: Option<&[u8]>, value: &[u8]) {
        self.produce(key, value, null_mut());
        self.since_poll += 1;
        if self.since_poll == 128 {
            self.since_poll = 0;
            self.rdkafka.poll(0);
        }
    }

    fn send_and_wait(&mut self, value: &[u8]) {
        let waiter = Arc::clone(&self.waiter);
        waiter.done.store(false, Ordering::Release);
        self.produce(None, value, Arc::as_ptr(&waiter).cast_mut().cast());
        if self.rdkafka.polls_apart {
            let mut guard = waiter.lock.lock();
            while !waiter.done.load(Ordering::Acquire) {
                waiter.changed.wait(&mut guard);
            }
        } else {
            while !waiter.done.load(Ordering::Acquire) {
                self.rdkafka.poll(1_000);
            }
        }
    }
}

/// What a thread that waits for its record has given librdkafka as the record's opaque.
#[derive(Default)]
struct Waiter {
    done: AtomicBool,
    lock: Mutex<()>,
    changed: Condvar,
}

unsafe extern "C" fn delivered(_: *mut c_void, message: *const Message, _: *mut c_void) {
    // SAFETY: librdkafka passes a message that lives during the call; the opaque is ours, and its owner waits for it.
    unsafe {
        if (*message).error != 0 {
            FAILED.fetch_add(1, Ordering::AcqRel);
        }
        if let Some(waiter) = (*message).opaque.cast::<Waiter>().as_ref() {
            let _guard = waiter.lock.lock();
            waiter.done.store(true, Ordering::Release);
            waiter.changed.notify_one();
        }
    }
}

static FAILED: AtomicU64 = AtomicU64::new(0);

/// `rd_kafka_message_t`.
#[repr(C)]
struct Message {
    error: c_int,
    topic: *mut c_void,
    partition: i32,
    payload: *mut c_void,
    size: usize,
    key: *mut c_void,
    key_size: usize,
    offset: i64,
    opaque: *mut c_void,
}

type DeliveryCallback = unsafe extern "C" fn(*mut c_void, *const Message, *mut c_void);

/// The functions of librdkafka that are used here.
struct Api {
    version_str: unsafe extern "C" fn() -> *const c_char,
    conf_new: unsafe extern "C" fn() -> *mut c_void,
    conf_set: unsafe extern "C" fn(
        *mut c_void,
        *const c_char,
        *const c_char,
        *mut c_char,
        usize,
    ) -> c_int,
    conf_set_dr_msg_cb: unsafe extern "C" fn(*mut c_void, DeliveryCallback),
    new: unsafe extern "C" fn(c_int, *mut c_void, *mut c_char, usize) -> *mut c_void,
    topic_new: unsafe extern "C" fn(*mut c_void, *const c_char, *mut c_void) -> *mut c_void,
    produce: unsafe extern "C" fn(
        *mut c_void,
        i32,
        c_int,
        *mut c_void,
        usize,
        *const c_void,
        usize,
        *mut c_void,
    ) -> c_int,
    poll: unsafe extern "C" fn(*mut c_void, c_int) -> c_int,
    flush: unsafe extern "C" fn(*mut c_void, c_int) -> c_int,
}

impl Api {
    fn open(path: &str) -> Self {
        // SAFETY: the types above are those of librdkafka's header; the library is never closed.
        unsafe {
            let library = Box::leak(Box::new(Library::new(path).expect("librdkafka opens")));
            macro_rules! function {
                ($name:literal) => {
                    *library.get($name).expect("librdkafka has this function")
                };
            }
            Self {
                version_str: function!(b"rd_kafka_version_str"),
                conf_new: function!(b"rd_kafka_conf_new"),
                conf_set: function!(b"rd_kafka_conf_set"),
                conf_set_dr_msg_cb: function!(b"rd_kafka_conf_set_dr_msg_cb"),
                new: function!(b"rd_kafka_new"),
                topic_new: function!(b"rd_kafka_topic_new"),
                produce: function!(b"rd_kafka_produce"),
                poll: function!(b"rd_kafka_poll"),
                flush: function!(b"rd_kafka_flush"),
            }
        }
    }
}

fn c_text(text: &str) -> CString {
    CString::new(text).expect("no zero bytes")
}

const PRODUCER: c_int = 0;
const ANY_PARTITION: i32 = -1;
const COPY: c_int = 2;
