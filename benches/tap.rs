//! The cost of reading frames: time per frame, and bytes per second, of the tap alone.
//!
//! A slice is what one read of the relay brings: a full buffer of back-to-back frames, or a single frame. Payload should
//! cost nothing, so that the time per frame is the same for all sizes that fit a slice.

use std::hint::black_box;
use std::time::Duration;

use closewatch::wire::{Frame, Observe, Peer, ReservedBits, Tap, Violation};
use criterion::{BenchmarkId, Criterion, Throughput};

/// The relay's read buffer.
const SLICE: usize = 64 * 1024;

/// As many frames as a large read brings of the small sizes, and a few of the large ones.
const STREAM: usize = 4 * SLICE;

/// Takes what the tap sees, so that nothing of it is optimised away.
#[derive(Default)]
struct Count {
    frames: u64,
    len: u64,
}

impl Observe for Count {
    fn frame(&mut self, frame: &Frame<'_>) {
        self.frames += 1;
        self.len += black_box(frame).len;
    }

    fn violation(&mut self, violation: Violation) {
        panic!("the stream is in order, but: {violation:?}");
    }

    fn blind(&mut self) {
        panic!("the stream is in order");
    }
}

/// A binary message of one frame.
fn message(from: Peer, len: usize) -> Vec<u8> {
    let (mask_bit, mask): (u8, &[u8]) = match from {
        Peer::Client => (0x80, &[1, 2, 3, 4]),
        Peer::Upstream => (0, &[]),
    };
    let mut frame = vec![0x82];
    match len {
        0..126 => frame.push(mask_bit | len as u8),
        126..0x1_0000 => {
            frame.push(mask_bit | 0x7e);
            frame.extend_from_slice(&(len as u16).to_be_bytes());
        }
        _ => {
            frame.push(mask_bit | 0x7f);
            frame.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(mask);
    frame.resize(frame.len() + len, 0x5a);
    frame
}

/// Shows `stream` to a tap in slices.
fn read(tap: &mut Tap, stream: &[u8], slice: usize) -> Count {
    let mut count = Count::default();
    for slice in stream.chunks(slice) {
        tap.feed(black_box(slice), &mut count);
    }
    count
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_millis(1500))
        .configure_from_args();

    let mut group = criterion.benchmark_group("tap");
    for size in [16, 128, 1024, SLICE] {
        for from in Peer::ALL {
            let message = message(from, size);
            let frames = (STREAM / message.len()).max(4);
            let stream = message.repeat(frames);
            for (name, slice) in [("full", SLICE), ("single", message.len())] {
                group.throughput(Throughput::ElementsAndBytes { elements: frames as u64, bytes: stream.len() as u64 });
                let id = BenchmarkId::new(format!("{}/{name} slices", from.direction()), size);
                group.bench_function(id, |bencher| {
                    let mut tap = Tap::new(from, ReservedBits::None);
                    bencher.iter(|| {
                        let count = read(&mut tap, &stream, slice);
                        assert_eq!((count.frames, count.len), (frames as u64, (frames * size) as u64));
                    });
                });
            }
        }
    }
    group.finish();
    criterion.final_summary();
}
