//! How often people may do things.

use super::reader::Reader;
use crate::rate_limits::RateSettings;

impl RateSettings {
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        const NUMBER: &str = "a whole number above 0";
        let sign_ins = reader.parse("FAIRWAY_SIGN_INS_PER_MINUTE", Some("60"), NUMBER);
        let writes = reader.parse("FAIRWAY_WRITES_PER_MINUTE", Some("120"), NUMBER);
        let live_reviews = reader.parse("FAIRWAY_LIVE_REVIEWS_PER_MINUTE", Some("300"), NUMBER);
        Some(Self { sign_ins: sign_ins?, writes: writes?, live_reviews: live_reviews? })
    }
}
