//! Floods of each kind, and laws: where the bytes are cut changes nothing, and a counter that knows whole frames says the
//! same.

use std::time::Duration;

use bascule_model::Instant;
use proptest::prelude::*;

use super::*;

const BUDGETS: Budgets = Budgets {
    resets: 20,
    control_frames: 50,
    head_bytes: 16 * 1024,
};
const NOW: Instant = Instant::from_millis(5_000);
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;

/// `x: y`, as a header block.
const FIELD: &[u8] = b"\x00\x01x\x01y";

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![a, b, c, kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

fn head(stream: u32) -> Vec<u8> {
    frame(1, END_STREAM | END_HEADERS, stream, b"\x82\x86\x84")
}

fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(3, 0, stream, &code.to_be_bytes())
}

fn client() -> Watch {
    let mut watch = Watch::new(Peer::Client, BUDGETS, NOW);
    watch.received(NOW, PREFACE).unwrap();
    watch.received(NOW, &frame(4, 0, 0, &[])).unwrap();
    watch
}

fn origin() -> Watch {
    let mut watch = Watch::new(Peer::Origin, BUDGETS, NOW);
    watch.sent(NOW, PREFACE).unwrap();
    watch.received(NOW, &frame(4, 0, 0, &[])).unwrap();
    watch
}

/// How many times the bytes may come before the connection is ended, and for what.
fn endured(watch: &mut Watch, bytes: &[u8]) -> (usize, Abuse) {
    for count in 0..100_000 {
        if let Err(abuse) = watch.received(NOW, bytes) {
            assert_eq!(watch.received(NOW, b""), Err(abuse), "it is said again");
            return (count, abuse);
        }
    }
    panic!("it goes on for ever");
}

#[test]
fn a_bucket_gives_ten_seconds_worth_at_once_and_then_so_many_a_second() {
    let mut bucket = Bucket::full(20, NOW);
    let mut spent = |now| (0..1000).take_while(|_| bucket.spend(now)).count();
    assert_eq!(spent(NOW), 200);
    assert_eq!(spent(NOW + Duration::from_secs(1)), 20);
    assert_eq!(spent(NOW), 0);
    assert_eq!(spent(NOW + Duration::from_secs(3600)), 200);
    assert!(!Bucket::full(0, NOW).spend(NOW));
}

#[test]
fn a_client_that_resets_what_it_has_just_asked_for_is_ended() {
    let mut watch = client();
    for n in 0..200 {
        watch.received(NOW, &head(2 * n + 1)).unwrap();
        watch.received(NOW, &reset(2 * n + 1, 8)).unwrap();
    }
    let second = NOW + Duration::from_secs(1);
    for n in 200..220 {
        watch.received(second, &reset(2 * n + 1, 8)).unwrap();
    }
    assert_eq!(watch.received(second, &reset(1, 8)), Err(Abuse::Resets));
}

#[test]
fn a_client_whose_errors_make_us_reset_streams_is_ended_and_our_own_resets_cost_it_nothing() {
    let mut watch = client();
    for n in 0..1000 {
        for code in [0, 2, 8] {
            watch.sent(NOW, &reset(2 * n + 1, code)).unwrap();
        }
    }
    for n in 0..200 {
        watch.sent(NOW, &reset(2 * n + 1, 1)).unwrap();
    }
    assert_eq!(watch.sent(NOW, &reset(1, 5)), Err(Abuse::ResetsCaused));
}

#[test]
fn frames_that_bring_nothing_on_share_one_budget_and_each_has_its_reason() {
    let padding_alone = [vec![9], vec![0; 9]].concat();
    let floods = [
        (frame(4, 0, 0, &[]), Abuse::ControlFrames),
        (frame(6, 0, 0, &[7; 8]), Abuse::ControlFrames),
        (frame(2, 0, 1, &[0; 5]), Abuse::ControlFrames),
        (frame(5, END_HEADERS, 1, &[0; 9]), Abuse::ControlFrames),
        (frame(7, 0, 0, &[0; 8]), Abuse::ControlFrames),
        (frame(16, 0, 0, b"u=1"), Abuse::ControlFrames),
        (frame(4, ACK, 0, &[]), Abuse::ControlFrames),
        (frame(6, ACK, 0, &[0; 8]), Abuse::ControlFrames),
        (frame(0, 0, 1, &[]), Abuse::EmptyFrames),
        (frame(0, PADDED, 1, &padding_alone), Abuse::EmptyFrames),
        (frame(1, END_HEADERS, 1, &[]), Abuse::EmptyFrames),
    ];
    for (bytes, reason) in floods {
        assert_eq!(endured(&mut client(), &bytes), (499, reason), "{bytes:?}");
        let mut mixed = client();
        assert_eq!(
            endured(&mut mixed, &[bytes, frame(6, 0, 0, &[0; 8])].concat()).0,
            249
        );
    }
}

#[test]
fn answers_to_what_we_sent_are_free() {
    let mut watch = client();
    for _ in 0..2000 {
        watch.sent(NOW, &frame(4, 0, 0, &[])).unwrap();
        watch.sent(NOW, &frame(6, 0, 0, &[1; 8])).unwrap();
        watch.received(NOW, &frame(4, ACK, 0, &[])).unwrap();
        watch.received(NOW, &frame(6, ACK, 0, &[1; 8])).unwrap();
    }
}

#[test]
fn room_that_is_given_back_for_what_we_sent_is_free_and_more_is_not() {
    let update = frame(8, 0, 1, &[0, 0, 4, 0]);
    let (free, reason) = endured(&mut client(), &update);
    assert_eq!((free, reason), (531, Abuse::WindowUpdates));
    let mut watch = client();
    for _ in 0..1000 {
        watch.sent(NOW, &frame(0, 0, 1, &[0; 4096])).unwrap();
        for _ in 0..6 {
            watch.received(NOW, &update).unwrap();
        }
    }
    assert_eq!(endured(&mut watch, &update).0, 531);
}

#[test]
fn a_head_takes_few_continuations_and_the_next_head_as_many() {
    let mut watch = client();
    let more = frame(9, 0, 1, b"\x82");
    for stream in [1, 3, 5] {
        watch.received(NOW, &frame(1, 0, stream, b"\x82")).unwrap();
        for _ in 0..3 {
            watch.received(NOW, &more).unwrap();
        }
        let last = frame(9, END_HEADERS, stream, b"\x82");
        watch.received(NOW, &last).unwrap();
    }
    watch.received(NOW, &frame(1, 0, 7, b"\x82")).unwrap();
    assert_eq!(endured(&mut watch, &more), (4, Abuse::Continuation));
}

#[test]
fn an_origin_owes_one_head_and_may_reset_once_for_each_request() {
    let mut watch = origin();
    for n in 0..1000 {
        watch.sent(NOW, &head(2 * n + 1)).unwrap();
        let answer = frame(1, END_HEADERS, 2 * n + 1, b"\x88");
        watch.received(NOW, &answer).unwrap();
        let trailers = frame(1, 5, 2 * n + 1, FIELD);
        watch.received(NOW, &trailers).unwrap();
        watch.received(NOW, &reset(2 * n + 1, 7)).unwrap();
    }
    let interim = frame(1, END_HEADERS, 1, b"\x08\x03103");
    assert_eq!(endured(&mut watch, &interim), (499, Abuse::ControlFrames));
    let mut watch = origin();
    assert_eq!(endured(&mut watch, &reset(1, 2)), (200, Abuse::Resets));
}

#[test]
fn requests_that_the_engine_refuses_by_itself_are_known_and_those_that_were_heard_are_not_among_them()
 {
    let mut watch = client();
    for stream in [1, 3, 5, 7, 9] {
        watch.received(NOW, &head(stream)).unwrap();
    }
    watch.sent(NOW, &reset(1, 1)).unwrap();
    watch
        .sent(NOW, &frame(1, END_STREAM | END_HEADERS, 3, b"\x08\x03431"))
        .unwrap();
    watch.sent(NOW, &reset(3, 1)).unwrap();
    watch.sent(NOW, &reset(5, 7)).unwrap();
    watch.received(NOW, &reset(7, 8)).unwrap();
    watch.heard();
    watch.sent(NOW, &reset(9, 1)).unwrap();
    let told: Vec<Unheard> = std::iter::from_fn(|| watch.take_unheard()).collect();
    let expected = [
        Unheard::Malformed,
        Unheard::HeadTooLong,
        Unheard::TooManyStreams,
    ];
    assert_eq!(told, expected);
}

#[test]
fn the_engine_ending_the_connection_is_noticed_and_an_orderly_end_is_none() {
    let mut watch = client();
    watch.sent(NOW, &frame(7, 0, 0, &[0; 8])).unwrap();
    assert_eq!(watch.sent(NOW, &goaway(9, Abuse::Flood)), Err(Abuse::Flood));
    let error = frame(7, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 1, b'x']);
    assert_eq!(client().sent(NOW, &error), Err(Abuse::Protocol));
}

#[test]
fn another_frame_may_follow_only_a_whole_one() {
    let mut watch = client();
    let bytes = frame(0, 0, 1, b"abc");
    for (at, byte) in bytes.iter().enumerate() {
        assert_eq!(watch.is_between_frames(), at == 0);
        watch.sent(NOW, std::slice::from_ref(byte)).unwrap();
    }
    assert!(watch.is_between_frames());
}

#[test]
fn what_is_no_http2_has_one_word_and_every_other_reason_one_of_its_own() {
    let words: std::collections::BTreeSet<&str> = Abuse::ALL.iter().map(|a| a.as_str()).collect();
    let protocol = |abuse: &&Abuse| abuse.as_str() == "protocol";
    let protocol = Abuse::ALL.iter().filter(protocol).count();
    assert_eq!(words.len(), Abuse::ALL.len() - protocol + 1);
}

#[test]
fn rules_that_the_engine_does_not_hold_end_the_connection_with_their_code() {
    let post = frame(1, END_HEADERS, 1, b"\x83\x86\x84\x41\x01a");
    let bodiless = frame(1, END_HEADERS, 1, b"\x83\x86\x84\x0f\x0d\x010");
    let trailers = |block: &[u8]| [post.clone(), frame(1, 5, 1, block)].concat();
    let cases = [
        (frame(6, 0, 0, &[0; 7]), Abuse::FrameSize),
        (frame(8, 0, 0, &[0; 5]), Abuse::FrameSize),
        (frame(3, 0, 1, &[0; 3]), Abuse::FrameSize),
        (frame(2, 0, 1, &[0; 4]), Abuse::FrameSize),
        (frame(4, 0, 0, &[0; 5]), Abuse::FrameSize),
        (frame(4, ACK, 0, &[0; 6]), Abuse::FrameSize),
        (frame(4, 0, 0, &[0, 4, 0x80, 0, 0, 0]), Abuse::WindowSize),
        (
            [head(1), frame(0, END_STREAM, 1, b"x")].concat(),
            Abuse::StreamClosed,
        ),
        (frame(1, 5, 1, b"\x82\xc6"), Abuse::Compression),
        (frame(1, 5, 1, b"\x82\x80"), Abuse::Compression),
        (frame(1, 5, 1, b"\x82\x20"), Abuse::Compression),
        (frame(1, 5, 1, b"\x20\x20\x20\x82"), Abuse::Compression),
        (frame(1, 5, 1, b"\x3f\xe2\x1f"), Abuse::Compression),
        (frame(1, 5, 1, b"\x82\x04\x03/#f"), Abuse::Malformed),
        (
            [frame(1, 0, 1, b"\x82"), frame(0, 0, 1, b"x")].concat(),
            Abuse::Sequence,
        ),
        (frame(9, END_HEADERS, 1, b"\x82"), Abuse::Sequence),
        ([bodiless, frame(0, 0, 1, b"x")].concat(), Abuse::Malformed),
        (trailers(&FIELD.repeat(500)), Abuse::TrailersTooLong),
        (trailers(b"\x84"), Abuse::Malformed),
        (trailers(b"\x00\x01x\x02 y"), Abuse::Malformed),
        (trailers(b"\x00\x01X\x01y"), Abuse::Malformed),
    ];
    for (bytes, expected) in cases {
        assert_eq!(client().received(NOW, &bytes), Err(expected), "{bytes:?}");
    }
    client()
        .received(NOW, &trailers(b"\x00\x01x\x01y"))
        .unwrap();
    let mut unsettled = Watch::new(Peer::Client, BUDGETS, NOW);
    let early = [PREFACE, &head(1)].concat();
    assert_eq!(unsettled.received(NOW, &early), Err(Abuse::Sequence));
}

#[test]
fn what_was_found_first_stays_the_reason() {
    let mut watch = client();
    let first = frame(6, 0, 0, &[0; 7]);
    let later = frame(9, END_HEADERS, 1, b"\x82");
    assert_eq!(watch.received(NOW, &first), Err(Abuse::FrameSize));
    assert_eq!(watch.received(NOW, &later), Err(Abuse::FrameSize));
}

#[test]
fn a_head_in_pieces_is_read_as_one_and_fields_are_remembered() {
    let mut watch = client();
    // `:path: /#`, kept in the table, padded, with a priority, and cut in the middle of a text.
    watch
        .received(
            NOW,
            &frame(1, 0x29, 1, b"\x02\0\0\0\0\x10\x82\x40\x01x\x02a\0\0"),
        )
        .unwrap();
    watch
        .received(NOW, &frame(9, END_HEADERS, 1, b"b"))
        .unwrap();
    let again = frame(1, 5, 3, b"\x82\xbe");
    watch.received(NOW, &again).unwrap();
    let beyond = frame(1, 5, 5, b"\x82\xbf");
    assert_eq!(watch.received(NOW, &beyond), Err(Abuse::Compression));
}

#[test]
fn an_origin_that_says_pseudo_fields_of_requests_or_in_trailers_is_left() {
    let mut watch = origin();
    watch.sent(NOW, &head(1)).unwrap();
    watch
        .received(NOW, &frame(1, END_HEADERS, 1, b"\x08\x03103"))
        .unwrap();
    watch
        .received(NOW, &frame(1, END_HEADERS, 1, b"\x88"))
        .unwrap();
    watch
        .received(NOW, &frame(1, 5, 1, b"\x00\x01x\x01y"))
        .unwrap();
    watch.sent(NOW, &head(3)).unwrap();
    watch
        .received(NOW, &frame(1, END_HEADERS, 3, b"\x88"))
        .unwrap();
    let trailers = frame(1, 5, 3, b"\x88");
    assert_eq!(
        watch.clone().received(NOW, &trailers),
        Err(Abuse::Malformed)
    );
    let path = frame(1, END_HEADERS, 5, b"\x88\x84");
    assert_eq!(watch.received(NOW, &path), Err(Abuse::Malformed));
}

/// A counter that is given whole frames: how much of each budget they cost when no time passes.
#[derive(Default)]
struct Naive {
    control: u32,
    resets: u32,
    continuations: u32,
    window_updates: u32,
    last: u32,
}

impl Naive {
    fn is_spent(&mut self, (kind, flags, stream, payload): &Given) -> bool {
        let has = |flag: u8| flags & flag != 0;
        let is_empty = payload.is_empty();
        match kind {
            0 => self.control += u32::from(is_empty),
            1 => {
                self.continuations = 0;
                self.control += u32::from(is_empty);
                if stream % 2 == 1 && *stream > self.last {
                    self.last = *stream;
                    self.window_updates += 4;
                }
            }
            3 => self.resets += 1,
            8 if self.window_updates > 0 => self.window_updates -= 1,
            9 => {
                self.continuations += 1;
                self.control += u32::from(is_empty && self.continuations <= 4);
            }
            _ => self.control += 1,
        }
        let is_spent = self.control > 499 || self.resets > 200 || self.continuations > 4;
        if *kind == 9 && has(END_HEADERS) {
            self.continuations = 0;
        }
        is_spent
    }
}

/// Kind, flags, stream and payload of a frame that is right by itself and ends no stream.
type Given = (u8, u8, u32, Vec<u8>);

fn any_frame() -> impl Strategy<Value = Vec<Given>> {
    let kind = prop_oneof![4 => 2_u8..9, 2 => Just(0), 1 => 10_u8..];
    (kind, 0_u32..400, any::<bool>()).prop_map(|(kind, stream, is_empty)| {
        let payload = match kind {
            0 if !is_empty => b"data".to_vec(),
            0 | 4 => vec![],
            2 => vec![0; 5],
            3 | 8 => vec![0; 4],
            _ => vec![0; 8],
        };
        vec![(kind, 0, stream, payload)]
    })
}

/// A header block in so many frames.
fn any_block() -> impl Strategy<Value = Vec<Given>> {
    let pieces = proptest::collection::vec(any::<bool>(), 1..6);
    (0_u32..400, pieces).prop_map(|(stream, pieces)| {
        let last = pieces.len() - 1;
        let piece = |(at, is_empty): (usize, &bool)| {
            let kind = if at == 0 { 1 } else { 9 };
            let flags = if at == last { END_HEADERS } else { 0 };
            let payload = if *is_empty { vec![] } else { FIELD.to_vec() };
            (kind, flags, stream, payload)
        };
        pieces.iter().enumerate().map(piece).collect()
    })
}

proptest! {
    #[test]
    fn any_cut_of_the_bytes_gives_the_same(
        bytes in proptest::collection::vec(any::<u8>(), 0..3000),
        cuts in proptest::collection::vec(1_usize..40, 1..50),
    ) {
        let mut whole = client();
        let at_once = whole.received(NOW, &bytes);
        let mut cut = client();
        let mut rest: &[u8] = &bytes;
        let mut result = Ok(());
        for size in cuts.iter().cycle() {
            let (now, later) = rest.split_at((*size).min(rest.len()));
            result = cut.received(NOW, now);
            rest = later;
            if rest.is_empty() || result.is_err() {
                break;
            }
        }
        prop_assert_eq!(result, at_once);
        prop_assert!(at_once.is_err() || whole == cut);
    }

    #[test]
    fn a_counter_of_whole_frames_says_the_same(
        groups in proptest::collection::vec(prop_oneof![any_frame(), any_block()], 0..600),
    ) {
        let mut watch = client();
        let mut naive = Naive { window_updates: 32, ..Naive::default() };
        for given in groups.iter().flatten() {
            let (kind, flags, stream, payload) = given;
            let said = watch.received(NOW, &frame(*kind, *flags, *stream, payload));
            prop_assert_eq!(said.is_err(), naive.is_spent(given), "{:?}", given);
            if said.is_err() {
                break;
            }
        }
    }
}
