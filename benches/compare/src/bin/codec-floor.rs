//! The floor of compression: the bytes that a producer would compress, through the codec's library alone.
//!
//! `per_batch=RECORDS` says how many records a batch holds, which is what ottla's batches were found to hold. Batches are made
//! before the first run; a run compresses as many as its records fill. Libraries, levels and reuse are those of ottla.

use std::io::Write;

use compare::{Caller, Producer, Settings, converse, put_record};
use flate2::{Compress, FlushCompress};
use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
use parking_lot::Mutex;
use zstd::zstd_safe::{CCtx, CParameter, compress_bound};

fn main() {
    let settings = Settings::from_arguments();
    let per_batch = settings.number("per_batch", 1);
    let floor = Floor {
        per_batch,
        batches: batches(&settings.values(), per_batch),
        codec: Mutex::new(Codec::new(settings.text("codec").expect("codec=NAME"))),
    };
    converse(&settings, "-", &floor);
}

/// So many different ones that a compressor cannot learn them.
fn batches(values: &[Vec<u8>], per_batch: usize) -> Vec<Vec<u8>> {
    let mut values = values.iter().cycle();
    let batch = |_| {
        let mut bytes = Vec::new();
        for offset in 0..per_batch {
            let value = values.next().expect("there is a value");
            put_record(&mut bytes, (0, offset as i64), None, value);
        }
        bytes
    };
    (0..16).map(batch).collect()
}

struct Floor {
    per_batch: usize,
    batches: Vec<Vec<u8>>,
    codec: Mutex<Codec>,
}

impl Producer for Floor {
    type Caller<'a> = &'a Floor;

    fn caller(&self) -> &Floor {
        self
    }

    fn flush(&self) {}
}

impl Caller for &Floor {
    fn send(&mut self, _: Option<&[u8]>, _: &[u8]) {
        unreachable!("records come in batches");
    }

    fn send_all<'v>(&mut self, records: impl Iterator<Item = (Option<[u8; 16]>, &'v [u8])>) {
        let (mut codec, mut output) = (self.codec.lock(), Vec::new());
        let batches = records.count() / self.per_batch;
        for batch in self.batches.iter().cycle().take(batches) {
            output.clear();
            codec.compress(batch, &mut output);
            std::hint::black_box(&output);
        }
    }

    fn send_and_wait(&mut self, _: &[u8]) {
        unreachable!("nobody answers");
    }
}

enum Codec {
    Gzip(Compress),
    Snappy(Box<snap::raw::Encoder>, Vec<u8>),
    Lz4(Box<FrameEncoder<Vec<u8>>>),
    Zstd(CCtx<'static>),
}

impl Codec {
    fn new(name: &str) -> Self {
        match name {
            "gzip" => Self::Gzip(Compress::new_gzip(flate2::Compression::default(), 15)),
            "snappy" => {
                let room = snap::raw::max_compress_len(SNAPPY_BLOCK);
                Self::Snappy(Box::new(snap::raw::Encoder::new()), vec![0; room])
            }
            "lz4" => {
                let info = FrameInfo::new().block_size(BlockSize::Max64KB);
                let info = info.block_mode(BlockMode::Independent);
                Self::Lz4(Box::new(FrameEncoder::with_frame_info(info, Vec::new())))
            }
            "zstd" => {
                let mut context = CCtx::create();
                let parameters = [
                    CParameter::ContentSizeFlag(false),
                    CParameter::CompressionLevel(3),
                ];
                for parameter in parameters {
                    context.set_parameter(parameter).expect("a parameter");
                }
                Self::Zstd(context)
            }
            other => panic!("codec={other}"),
        }
    }

    fn compress(&mut self, plain: &[u8], output: &mut Vec<u8>) {
        match self {
            Self::Gzip(deflate) => {
                deflate.reset();
                output.reserve(plain.len());
                let done = deflate.compress_vec(plain, output, FlushCompress::Finish);
                done.expect("deflates");
            }
            Self::Snappy(encoder, room) => {
                for block in plain.chunks(SNAPPY_BLOCK) {
                    let size = encoder.compress(block, room).expect("compresses");
                    output.extend_from_slice(&room[..size]);
                }
            }
            Self::Lz4(frame) => {
                std::mem::swap(frame.get_mut(), output);
                let written = frame.write_all(plain);
                written
                    .and_then(|()| Ok(frame.try_finish()?))
                    .expect("compresses");
                std::mem::swap(frame.get_mut(), output);
            }
            Self::Zstd(context) => {
                output.reserve(compress_bound(plain.len()));
                context.compress2(output, plain).expect("compresses");
            }
        }
    }
}

/// As Java has it.
const SNAPPY_BLOCK: usize = 32 << 10;
