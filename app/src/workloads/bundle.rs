use record::Digest;
use review::{Manifest, decode, to_yaml};
use std::ops::Range;

/// What would be applied, from its review to its apply: the exact text, its digest, its objects, and where each stands
/// in the text. What is judged and what is sent are the same value.
#[derive(Debug, Clone)]
pub struct ManifestBundle {
    text: String,
    digest: Digest,
    objects: Vec<Manifest>,
    /// Where the document of each object stands, in bytes.
    places: Vec<Range<usize>>,
}

#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    #[error("{0}")]
    Unreadable(String),
    #[error("the text is not the documents of its objects, as Fairway writes them")]
    OtherText,
    #[error(
        "These objects make {lines} lines of YAML, and at most {MOST_LINES} can be reviewed together. Submit them in \
         parts."
    )]
    TooLong { lines: usize },
}

/// The most lines: whoever approves them reads them all on one page.
const MOST_LINES: usize = 10_000;

const SEPARATOR: &str = "---\n";

impl ManifestBundle {
    /// Writes objects, in this order.
    ///
    /// # Errors
    /// Where there are too many lines, or what was written cannot be read back.
    pub fn write(objects: &[Manifest]) -> Result<Self, BundleError> {
        let (text, places) = written(objects);
        let lines = text.lines().count();
        if lines > MOST_LINES {
            return Err(BundleError::TooLong { lines });
        }
        // Read back, so that findings know their lines.
        let objects = decode("manifest.yaml", &text).map_err(|error| BundleError::Unreadable(error.to_string()))?;
        if objects.len() != places.len() {
            return Err(BundleError::OtherText);
        }
        Ok(Self { digest: Digest::of(&text), text, objects, places })
    }

    /// Reads what was written before. What is sent are slices of the text, so it must be exactly the documents of its
    /// objects.
    ///
    /// # Errors
    /// Where it is not.
    pub fn read(text: String) -> Result<Self, BundleError> {
        let objects = decode("manifest.yaml", &text).map_err(|error| BundleError::Unreadable(error.to_string()))?;
        let (again, places) = written(&objects);
        if again != text {
            return Err(BundleError::OtherText);
        }
        Ok(Self { digest: Digest::of(&text), text, objects, places })
    }

    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// In the order in which they are applied.
    #[must_use]
    pub fn objects(&self) -> &[Manifest] {
        &self.objects
    }

    /// Each object with its part of the text.
    pub fn documents(&self) -> impl Iterator<Item = (&Manifest, &str)> {
        self.objects.iter().zip(self.places.iter().map(|place| &self.text[place.clone()]))
    }
}

fn written(objects: &[Manifest]) -> (String, Vec<Range<usize>>) {
    let mut text = String::new();
    let mut places = Vec::new();
    for object in objects {
        if !text.is_empty() {
            text.push_str(SEPARATOR);
        }
        let begin = text.len();
        text.push_str(&to_yaml(std::slice::from_ref(object)));
        places.push(begin..text.len());
    }
    (text, places)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PODS: &str =
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: b\n";

    #[test]
    fn what_is_sent_is_a_part_of_what_was_judged() {
        let bundle = ManifestBundle::write(&decode("x", PODS).unwrap()).unwrap();
        assert_eq!(bundle.digest(), Digest::of(bundle.text()));
        let documents: Vec<&str> = bundle.documents().map(|(_, document)| document).collect();
        assert_eq!(documents.join(SEPARATOR), bundle.text());
        assert_eq!(bundle.objects()[1].object().name, "b");
    }

    #[test]
    fn only_what_fairway_wrote_reads_back() {
        let bundle = ManifestBundle::write(&decode("x", PODS).unwrap()).unwrap();
        assert_eq!(ManifestBundle::read(bundle.text().to_owned()).unwrap().digest(), bundle.digest());
        for other in [format!("# a comment\n{PODS}"), PODS.replace("name: a", "name: 'a'")] {
            assert!(matches!(ManifestBundle::read(other), Err(BundleError::OtherText)));
        }
        assert!(matches!(ManifestBundle::read("{".to_owned()), Err(BundleError::Unreadable(_))));
    }
}
