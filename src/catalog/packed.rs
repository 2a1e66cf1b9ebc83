//! Decompresses the embedded tables.

use ruzstd::decoding::FrameDecoder;

/// Returns the text of a zstd frame, or `None` if it is damaged. The tests of the embedded tables
/// rule that out; callers then treat the table as empty.
pub(super) fn unpack(frame: &[u8]) -> Option<String> {
    let mut decoder = FrameDecoder::new();
    decoder.init(frame).ok()?;
    let mut text = Vec::with_capacity(usize::try_from(decoder.content_size()).ok()?);
    decoder.decode_all_to_vec(frame, &mut text).ok()?;
    String::from_utf8(text).ok()
}
