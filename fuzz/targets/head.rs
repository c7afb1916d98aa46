//! An upgrade that is relayed byte for byte is one that hyper reads alike: what one refuses, the other must not upgrade. In
//! the target hyper is shown a stand-in for the characters that it refuses or cuts off.

#![no_main]

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use closewatch::proxy::fuzzing::{for_hyper, is_upgrade, verbatim};
use closewatch_fuzz::{block_on, serve_bytes};
use http::{Method, Response, Version};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some(ours) = verbatim(bytes) else { return };
    let read = Arc::new(Mutex::new(None));
    let service = {
        let read = Arc::clone(&read);
        hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
            read.lock().unwrap().get_or_insert(request);
            async { Ok::<_, Infallible>(Response::new(String::new())) }
        })
    };
    // Nothing behind the head: that would be the next request's.
    let head = for_hyper(&bytes[..ours.len]);
    block_on(serve_bytes(&head, service));
    let read = read.lock().unwrap().take();
    let theirs = read.unwrap_or_else(|| panic!("hyper refuses {:?}", head.escape_ascii().to_string()));

    assert_eq!(theirs.method(), Method::GET);
    assert!(matches!(theirs.version(), Version::HTTP_10 | Version::HTTP_11));
    let target = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    assert_eq!(theirs.uri().to_string().as_bytes(), target);
    let stand_in = |byte| if b"\"<>`#".contains(&byte) { b'!' } else { byte };
    assert!(target.iter().copied().eq(ours.target.bytes().map(stand_in)), "{}", ours.target);
    assert!(is_upgrade(&theirs));
    assert_eq!(theirs.headers().len(), ours.headers.len());
    // hyper groups headers of one name at the first; within a name the order stays.
    for name in theirs.headers().keys() {
        let of_name = ours.headers.iter().filter(|(ours, _)| ours.eq_ignore_ascii_case(name.as_str()));
        let values = theirs.headers().get_all(name).iter().map(http::HeaderValue::as_bytes);
        assert!(values.eq(of_name.map(|(_, value)| *value)), "{name}");
    }
});
