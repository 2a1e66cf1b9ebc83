//! Unpacking of the embedded tables.

use ruzstd::decoding::FrameDecoder;

/// The text of one zstd frame. None if it is damaged, which the tests of the embedded tables rule
/// out: those who ask then know nothing of any type, as if the table were empty.
pub(super) fn unpack(frame: &[u8]) -> Option<String> {
    let mut decoder = FrameDecoder::new();
    decoder.init(frame).ok()?;
    let mut text = Vec::with_capacity(usize::try_from(decoder.content_size()).ok()?);
    decoder.decode_all_to_vec(frame, &mut text).ok()?;
    String::from_utf8(text).ok()
}
